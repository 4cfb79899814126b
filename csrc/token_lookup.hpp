// Bytes -> token: the table that most pieces of text are answered from, with one look at one cache line.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pair_table.hpp"
#include "piece_key.hpp"
#include "table_memory.hpp"

namespace nlpkit {

/// Tokens of up to kPackedPiece bytes; read-only once filled, shared by all threads.
///
/// Two entries share a cache line and a full line overflows into the next. Tokens are inserted in the order
/// of their ranks: the frequent ones find their line empty and stand in its first place.
class TokenLookup {
   public:
    struct Entry {
        PieceKey key{0, 0};
        uint32_t id = 0;
        TokenIndex token = 0;
    };

    /// Room for `tokens` entries.
    explicit TokenLookup(size_t tokens) {
        unsigned bits = 6;
        while ((size_t{1} << bits) < tokens) ++bits;
        mask_ = (size_t{1} << bits) - 1;
        lines_ = make_table<Line>(mask_ + 1);
        shift_ = 64 - bits;
    }

    NLPKIT_INLINE void prefetch(uint64_t hash) const { prefetch_line(&lines_[hash >> shift_]); }

    /// The entry of a key, or null; `hash` is the key's.
    NLPKIT_INLINE const Entry* find(PieceKey key, uint64_t hash) const {
        for (size_t line = hash >> shift_;; line = (line + 1) & mask_) {
            const Entry* entries = lines_[line].entries;
            if (entries[0].key == key) return &entries[0];
            if (entries[1].key == key) return &entries[1];
            if (entries[1].key.empty()) return nullptr;
        }
    }

    /// Adds an entry whose key is not there yet.
    void insert(const Entry& added) {
        for (size_t line = hash_key(added.key) >> shift_;; line = (line + 1) & mask_) {
            for (Entry& entry : lines_[line].entries) {
                if (!entry.key.empty()) continue;
                entry = added;
                return;
            }
        }
    }

   private:
    struct alignas(64) Line {
        Entry entries[2];
    };

    Table<Line> lines_;
    size_t mask_ = 0;
    unsigned shift_ = 0;
};

}  // namespace nlpkit
