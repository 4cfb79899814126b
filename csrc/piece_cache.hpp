// Pieces of text seen before and their ids: a bounded table that one thread at a time uses.
//
// English and code repeat themselves: most pieces are found here with one look at one cache line. Two
// entries share a line; a new piece takes the second place and moves to the first when it is met again, so
// that a stream of pieces seen once cannot push out the frequent ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "piece_key.hpp"
#include "table_memory.hpp"

namespace nlpkit {

class PieceCache {
   public:
    /// Memory of one cache: 2^17 entries of 32 bytes, and the bytes and ids of longer pieces.
    static constexpr unsigned kLineBits = 16;
    static constexpr size_t kArenaBytes = size_t{4} << 20;
    static constexpr size_t kMemory = (size_t{64} << kLineBits) + kArenaBytes;

    static constexpr size_t kLongestPiece = 128;  // bytes
    static constexpr size_t kInlineIds = 3;

    struct Entry {
        PieceKey key{0, 0};  // the piece, or a 120-bit hash of a longer one
        uint32_t count = 0;  // ids; with kInArena, they are in the arena at ids[0]
        uint32_t ids[kInlineIds] = {0, 0, 0};

        uint32_t n_ids() const { return count & ~kInArena; }
    };

    PieceCache();

    /// The key of a piece of more than kPackedPiece bytes.
    static PieceKey long_key(std::string_view piece) {
        const uint64_t hash = hash_bytes(piece);
        return PieceKey{hash, fold_multiply(hash, kHashC + piece.size()) | kLongMark};
    }

    NLPKIT_INLINE void prefetch(uint64_t hash) const { prefetch_line(&lines_[hash >> kShift]); }

    /// The entry of a piece met often that has few ids, or null; `hash` is the key's.
    NLPKIT_INLINE const Entry* find_inline(PieceKey key, uint64_t hash) const {
        const Entry& entry = lines_[hash >> kShift].entries[0];
        return entry.key == key && entry.count <= kInlineIds ? &entry : nullptr;
    }

    /// The piece's entry, or null. `piece` is compared where the key is a hash.
    const Entry* find(PieceKey key, uint64_t hash, std::string_view piece);

    /// The ids of an entry.
    const uint32_t* ids(const Entry& entry) const {
        return entry.count & kInArena ? arena_.get() + entry.ids[0] : entry.ids;
    }

    void insert(PieceKey key, uint64_t hash, std::string_view piece, const uint32_t* ids, size_t count);

   private:
    static constexpr unsigned kShift = 64 - kLineBits;
    static constexpr uint32_t kInArena = uint32_t{1} << 31;
    static constexpr uint64_t kLongMark = uint64_t{0xff} << 56;
    struct alignas(64) Line {
        Entry entries[2];
    };

    static bool is_long(PieceKey key) { return key.high >= kLongMark; }

    bool matches(const Entry& entry, PieceKey key, std::string_view piece) const;
    void clear();

    Table<Line> lines_;
    std::unique_ptr<uint32_t[]> arena_;  // ids, and then the bytes where the key is a hash
    size_t used_ = 0;                    // of the arena, in words
};

}  // namespace nlpkit
