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

#include "hash.hpp"

namespace nlpkit {

class PieceCache {
   public:
    /// Memory of one cache: 2^17 entries of 32 bytes, and the bytes and ids of longer pieces.
    static constexpr unsigned kLineBits = 16;
    static constexpr size_t kArenaBytes = size_t{4} << 20;
    static constexpr size_t kMemory = (size_t{64} << kLineBits) + kArenaBytes;

    static constexpr size_t kPackedPiece = 15;  // bytes: such a piece is its own key
    static constexpr size_t kLongestPiece = 128;
    static constexpr size_t kInlineIds = 3;

    /// What identifies a piece: its bytes and their number, or a 120-bit hash for the longer ones.
    struct Key {
        uint64_t low, high;
        bool operator==(const Key&) const = default;
    };

    struct Entry {
        Key key;
        uint32_t count;  // ids; more than kInlineIds, or a long piece: they are in the arena
        uint32_t ids[kInlineIds];

        bool in_arena() const { return count > kInlineIds || is_long(key); }
    };

    PieceCache();

    /// The key of a piece of 1 to kLongestPiece bytes of `text`.
    static NLPKIT_INLINE Key key_of(std::string_view text, size_t begin, size_t size) {
        if (size > kPackedPiece) return long_key(text.substr(begin, size));
        uint64_t words[2] = {0, 0};
        const char* at = text.data() + begin;
        if (begin + sizeof words <= text.size()) {
            std::memcpy(words, at, sizeof words);
            words[0] &= kMasks[size][0];
            words[1] &= kMasks[size][1];
        } else {
            std::memcpy(words, at, size);
        }
        return Key{words[0], words[1] | static_cast<uint64_t>(size) << 56};
    }

    static NLPKIT_INLINE size_t line_of(Key key) {
        return static_cast<size_t>(fold_multiply(key.low ^ kHashA, key.high ^ kHashB) >> (64 - kLineBits));
    }

    NLPKIT_INLINE void prefetch(size_t line) const {
#if defined(__GNUC__)
        __builtin_prefetch(&lines_[line]);
#else
        (void)line;
#endif
    }

    /// The piece's entry, or null. `piece` is compared where the key is a hash.
    NLPKIT_INLINE const Entry* find(Key key, size_t line, std::string_view piece) {
        Entry* entries = lines_[line].entries;
        if (entries[0].key == key) return matches(entries[0], piece) ? &entries[0] : nullptr;
        if (entries[1].key == key) {
            if (!matches(entries[1], piece)) return nullptr;
            std::swap(entries[0], entries[1]);
            return &entries[0];
        }
        return nullptr;
    }

    /// The ids of an entry.
    NLPKIT_INLINE const uint32_t* ids(const Entry& entry) const {
        return entry.in_arena() ? arena_.get() + entry.ids[0] : entry.ids;
    }

    void insert(Key key, size_t line, std::string_view piece, const uint32_t* ids, size_t count);

   private:
    static constexpr uint64_t kLongMark = uint64_t{0xff} << 56;
    static constexpr uint64_t kMasks[kPackedPiece + 1][2] = {
        {0, 0},
        {0xff, 0},
        {0xffff, 0},
        {0xffffff, 0},
        {0xffffffff, 0},
        {0xffffffffff, 0},
        {0xffffffffffff, 0},
        {0xffffffffffffff, 0},
        {0xffffffffffffffff, 0},
        {0xffffffffffffffff, 0xff},
        {0xffffffffffffffff, 0xffff},
        {0xffffffffffffffff, 0xffffff},
        {0xffffffffffffffff, 0xffffffff},
        {0xffffffffffffffff, 0xffffffffff},
        {0xffffffffffffffff, 0xffffffffffff},
        {0xffffffffffffffff, 0xffffffffffffff},
    };

    struct alignas(64) Line {
        Entry entries[2];
    };

    struct Free {
        void operator()(Line* lines) const;
    };

    static Key long_key(std::string_view piece) {
        const uint64_t hash = hash_bytes(piece);
        return Key{hash, fold_multiply(hash, kHashC + piece.size()) | kLongMark};
    }

    static bool is_long(Key key) { return key.high >= kLongMark; }

    /// A packed key is the piece itself; a hash is checked against the bytes.
    bool matches(const Entry& entry, std::string_view piece) const {
        if (!is_long(entry.key)) return true;
        return piece.size() == entry.ids[1] &&
               std::memcmp(arena_.get() + entry.ids[0] + entry.count, piece.data(), piece.size()) == 0;
    }

    void clear();

    std::unique_ptr<Line[], Free> lines_;
    std::unique_ptr<uint32_t[]> arena_;  // ids, and then the bytes where the key is a hash
    size_t used_ = 0;                    // of the arena, in words
};

}  // namespace nlpkit
