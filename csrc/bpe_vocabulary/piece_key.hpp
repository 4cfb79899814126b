// What identifies a short piece of text in the tables: the piece itself, packed in 16 bytes.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

/// Which of 16 bytes belong to a piece of some size, and that size in its place; looked up because a branch on the
/// size would often go wrong.
struct alignas(32) KeyShape {
    uint64_t mask[2], size[2];
};

inline constexpr std::array<KeyShape, kPackedPiece + 1> kKeyShapes = [] {
    std::array<KeyShape, kPackedPiece + 1> shapes{};
    for (size_t size = 0; size <= kPackedPiece; ++size) {
        for (size_t i = 0; i < size; ++i) shapes[size].mask[i / 8] |= uint64_t{0xff} << (i % 8 * 8);
        shapes[size].size[1] = static_cast<uint64_t>(size) << 56;
    }
    return shapes;
}();

/// Makes the key of a piece of 1 to kPackedPiece bytes after whose beginning 16 bytes can be read.
NLPKIT_INLINE void pack(const char* piece, size_t size, PieceKey& key) {
    const KeyShape& shape = kKeyShapes[size];
#if defined(__GNUC__)
    using Words = uint64_t __attribute__((vector_size(16)));
    Words words, mask, size_word;
    std::memcpy(&words, piece, sizeof words);
    std::memcpy(&mask, shape.mask, sizeof mask);
    std::memcpy(&size_word, shape.size, sizeof size_word);
    words = (words & mask) | size_word;
#else
    uint64_t words[2];
    std::memcpy(words, piece, sizeof words);
    for (size_t i = 0; i < 2; ++i) words[i] = (words[i] & shape.mask[i]) | shape.size[i];
#endif
    std::memcpy(&key, &words, sizeof key);
}

/// A hash whose upper bits depend on all of the key; two multiplications that do not wait for each other, and that
/// a loop over keys does several at a time where the processor can.
NLPKIT_INLINE uint64_t hash_key(PieceKey key) { return key.low * kHashA + key.high * kHashB; }

}  // namespace nlpkit
