// What identifies a short piece of text in the tables: the piece itself, packed in 16 bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "support/cpu.hpp"
#include "support/hash.hpp"

namespace nlpkit {

static_assert(std::endian::native == std::endian::little, "keys are packed little-endian");

/// The bytes of a piece and, in the last byte, their number; zero for no piece.
struct PieceKey {
    uint64_t low, high;
    /// Without a branch between the words.
    NLPKIT_INLINE bool operator==(const PieceKey& other) const {
        return ((low ^ other.low) | (high ^ other.high)) == 0;
    }
    bool empty() const { return high == 0; }
};

/// The most bytes that a key holds.
inline constexpr size_t kPackedPiece = 15;

/// The bytes of the low and the high word that belong to a piece of that size; looked up because a branch on
/// the size would often go wrong.
inline constexpr uint64_t kKeyMasks[kPackedPiece + 1][2] = {
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

/// The key of a piece of 1 to kPackedPiece bytes after whose beginning 16 bytes can be read.
NLPKIT_INLINE PieceKey pack_readable(const char* piece, size_t size) {
    uint64_t words[2];
    std::memcpy(words, piece, sizeof words);
    return PieceKey{words[0] & kKeyMasks[size][0],
                    (words[1] & kKeyMasks[size][1]) | static_cast<uint64_t>(size) << 56};
}

/// The key of a piece of 1 to kPackedPiece bytes.
inline PieceKey pack(std::string_view piece) {
    uint64_t words[2] = {0, 0};
    std::memcpy(words, piece.data(), piece.size());
    return PieceKey{words[0], words[1] | static_cast<uint64_t>(piece.size()) << 56};
}

NLPKIT_INLINE uint64_t hash_key(PieceKey key) { return fold_multiply(key.low ^ kHashA, key.high ^ kHashB); }

/// Asks for a cache line that will be needed soon.
NLPKIT_INLINE void prefetch_line(const void* line) {
#if defined(__GNUC__)
    __builtin_prefetch(line);
#else
    (void)line;
#endif
}

}  // namespace nlpkit
