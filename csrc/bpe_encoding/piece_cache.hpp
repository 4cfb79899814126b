// Pieces of text seen before and their ids: a bounded table that one thread at a time uses.
//
// English and code repeat themselves: most pieces are found here with one look at one cache line, which two
// entries share.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "bpe_vocabulary/piece_key.hpp"
#include "support/cpu.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

class PieceCache {
   public:
    static constexpr size_t kLongestPiece = 128;  // bytes
    static constexpr size_t kInlineIds = 4;

    /// The most memory that one cache takes: what a third-level cache usually has. It begins with an eighth and
    /// grows as pieces come.
    static constexpr size_t kMostLineBytes = size_t{16} << 20;
    static constexpr size_t kMostArenaBytes = size_t{16} << 20;

    struct Entry {
        PieceKey key{0, 0};  // the piece, or a 120-bit hash of a longer one
        uint8_t packed[3 * kInlineIds] = {};  // ids of 24 bits, or a place in the arena
        uint32_t count = 0;                   // ids; with kElsewhere, they are in the arena

        /// Takes the ids if they fit in; otherwise says that they are elsewhere.
        void set(const uint32_t* ids, size_t n_ids);
        /// One that is not inline, and holds nothing.
        static Entry elsewhere() {
            Entry entry;
            entry.count = kElsewhere;
            return entry;
        }

        bool is_inline() const { return count <= kInlineIds; }
        uint32_t n_ids() const { return count & ~kElsewhere; }
    };

    /// `budget`: bytes that this and other caches may still take.
    explicit PieceCache(std::atomic<size_t>& budget);
    ~PieceCache();
    PieceCache(const PieceCache&) = delete;
    PieceCache& operator=(const PieceCache&) = delete;

    /// The key of a piece of more than kPackedPiece bytes, by the first kLongestPiece of them.
    static PieceKey long_key(std::string_view piece);

    /// Where in the table the line is that a key of that hash belongs to, in bytes, until the next `insert`.
    NLPKIT_INLINE uint32_t line_of(uint64_t hash) const {
        return static_cast<uint32_t>(hash >> shift_) & ~(static_cast<uint32_t>(sizeof(Line)) - 1);
    }

    static uint32_t number_of(uint32_t line) { return line >> kLineBits; }

    NLPKIT_INLINE void prefetch(uint32_t line) const { nlpkit::prefetch(entries_of(line)); }

    /// The entry of a key in its line, valid until the next `insert`; one with another key if there is none. The
    /// first eight bytes choose between the two: of a pair that has these in common the first one stays unseen.
    NLPKIT_INLINE const Entry* find(PieceKey key, uint32_t line) const {
        const Entry* entries = entries_of(line);
        return entries + (entries[1].key.low == key.low);
    }

    /// The same in the lines beside, where the pieces go that find their own line full.
    const Entry* find_beside(PieceKey key, uint32_t line) const;

    /// Writes the kInlineIds numbers of an inline entry, of which `count` are ids.
    static NLPKIT_INLINE void unpack(const Entry& entry, uint32_t* out);

    /// Writes the ids of an entry that has them elsewhere, and up to kInlineIds numbers more; returns how many, or 0
    /// if they have been overwritten or are another piece's.
    size_t read(const Entry& entry, std::string_view piece, uint32_t* out) const;

    /// Keeps a piece that is not here.
    void insert(Entry entry, std::string_view piece, const uint32_t* ids);

   private:
    static constexpr uint32_t kElsewhere = uint32_t{1} << 31;
    static constexpr uint64_t kLongMark = uint64_t{0xff} << 56;
    static constexpr unsigned kLineBits = 6;
    static constexpr unsigned kFirstLineBits = 16;
    static constexpr size_t kFirstArenaWords = size_t{1} << 18;

    struct alignas(64) Line {
        Entry entries[2];
    };
    static_assert(sizeof(Line) == size_t{1} << kLineBits);

    /// How many lines side by side share what one of them has no room for.
    static constexpr size_t kNeighbours = 4;

    static bool is_long(PieceKey key) { return key.high >= kLongMark; }
    NLPKIT_INLINE const Entry* entries_of(uint32_t line) const {
        return reinterpret_cast<const Line*>(reinterpret_cast<const char*>(&lines_[0]) + line)->entries;
    }
    static uint32_t neighbour(uint32_t line, uint32_t beside) { return line ^ (beside << kLineBits); }
    bool take(size_t bytes);
    void set_lines(unsigned bits);
    void grow_lines();
    bool grow_arena();
    Entry& place_of_new(uint32_t line);
    bool store(Entry& entry, std::string_view piece, const uint32_t* ids);

    std::atomic<size_t>& budget_;
    size_t taken_ = 0;
    Table<Line> lines_;
    unsigned shift_ = 0;
    size_t room_ = 0;  // pieces that may still come before the lines are too few

    // A ring of ids, each run followed by the bytes of its piece where the key is a hash. Places count up for
    // ever; what lies more than a round back is overwritten.
    Table<uint32_t> arena_;
    size_t arena_words_ = kFirstArenaWords;  // of it in use: a power of two
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
