// Pieces of text seen before and their ids: a bounded table that one thread at a time uses.
//
// English and code repeat themselves: most pieces are found here with one look at one cache line. Two
// entries share a line; a new piece takes the second place and moves to the first when it is met again, so
// that a stream of pieces seen once cannot push out the frequent ones.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "bpe_encoding/piece_key.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

class PieceCache {
   public:
    static constexpr size_t kLongestPiece = 128;  // bytes
    static constexpr size_t kInlineIds = 4;

    /// The most memory that one cache takes; it begins with a tenth and grows once as pieces come.
    static constexpr size_t kMostLineBytes = size_t{8} << 20;
    static constexpr size_t kMostArenaBytes = size_t{16} << 20;

    struct Entry {
        PieceKey key{0, 0};  // the piece, or a 120-bit hash of a longer one
        uint8_t packed[3 * kInlineIds] = {};  // ids of 24 bits, or a place in the arena
        uint32_t count = 0;                   // ids; with kInArena, they are in the arena

        uint32_t n_ids() const { return count & ~kInArena; }
    };

    /// `budget`: bytes that this and other caches may still take.
    explicit PieceCache(std::atomic<size_t>& budget);
    ~PieceCache();
    PieceCache(const PieceCache&) = delete;
    PieceCache& operator=(const PieceCache&) = delete;

    /// The key of a piece of more than kPackedPiece bytes.
    static PieceKey long_key(std::string_view piece) {
        const uint64_t hash = hash_bytes(piece);
        return PieceKey{hash, fold_multiply(hash, kHashC + piece.size()) | kLongMark};
    }

    NLPKIT_INLINE void prefetch(uint64_t hash) const { prefetch_line(&lines_[hash >> shift_]); }

    /// The entry of a piece met often that has few ids, or null; `hash` is the key's.
    NLPKIT_INLINE const Entry* find_inline(PieceKey key, uint64_t hash) const {
        const Entry& entry = lines_[hash >> shift_].entries[0];
        return entry.key == key && entry.count <= kInlineIds ? &entry : nullptr;
    }

    /// Writes the kInlineIds numbers of an entry of `find_inline`, of which `count` are ids.
    static NLPKIT_INLINE void unpack(const Entry& entry, uint32_t* out);

    /// Writes the ids of a piece to `out` and returns how many, or 0 if it is not here. `piece` is compared
    /// where the key is a hash.
    size_t find(PieceKey key, uint64_t hash, std::string_view piece, uint32_t* out);

    /// Keeps a piece that is not here.
    void insert(PieceKey key, uint64_t hash, std::string_view piece, const uint32_t* ids, size_t count);

   private:
    static constexpr uint32_t kInArena = uint32_t{1} << 31;
    static constexpr uint64_t kLongMark = uint64_t{0xff} << 56;
    static constexpr unsigned kFirstLineBits = 15;  // one huge page
    static constexpr size_t kFirstArenaWords = size_t{1} << 17;

    struct alignas(64) Line {
        Entry entries[2];
    };

    static bool is_long(PieceKey key) { return key.high >= kLongMark; }
    bool take(size_t bytes);
    void set_lines(unsigned bits);
    void grow_lines();
    bool grow_arena();
    bool store(Entry& entry, std::string_view piece, const uint32_t* ids, size_t count);
    const uint32_t* arena_ids(const Entry& entry) const;
    bool matches(const Entry& entry, PieceKey key, std::string_view piece) const;

    std::atomic<size_t>& budget_;
    size_t taken_ = 0;
    Table<Line> lines_;
    unsigned shift_ = 0;
    size_t room_ = 0;  // pieces that may still come before the lines are too few

    // A ring of ids, each run followed by the bytes of its piece where the key is a hash. Places count up for
    // ever; what lies more than a round back is overwritten.
    std::unique_ptr<uint32_t[]> arena_;
    size_t arena_words_ = 0;
    uint64_t head_ = 0;
    unsigned turned_away_ = 0;
};

void PieceCache::unpack(const Entry& entry, uint32_t* out) {
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
    using Bytes = uint8_t __attribute__((vector_size(16)));
    Bytes packed;
    std::memcpy(&packed, entry.packed, sizeof packed);  // the count comes along and is left out again
    const Bytes ids = __builtin_shufflevector(packed, Bytes{}, 0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8, 16, 9, 10, 11, 16);
    std::memcpy(out, &ids, sizeof ids);
#else
    for (size_t i = 0; i < kInlineIds; ++i) {
        const uint8_t* id = entry.packed + 3 * i;
        out[i] = static_cast<uint32_t>(id[0] | id[1] << 8 | id[2] << 16);
    }
#endif
}

}  // namespace nlpkit
