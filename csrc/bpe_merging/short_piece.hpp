// Byte-pair merging of short pieces of text: a vectorised search for the smallest rank.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bpe_merging/pair_table.hpp"

namespace nlpkit {

/// The token of each single byte.
using ByteTokens = std::array<TokenIndex, 256>;

/// Pieces up to this many bytes take the vectorised way.
inline constexpr size_t kShortPiece = 128;

/// A short piece on its way: its tokens at the places 1 to count, and for each the key of the pair that it
/// begins. Beyond either end stands kNoToken, which makes a token with nothing.
struct ShortPiece {
    /// The token that a pair makes and its place in one number, so that the smallest key is the pair to merge
    /// next, the leftmost of equals. kNoToken gives a key of kNoKey or more.
    static constexpr unsigned kPlaceBits = 8;
    static constexpr uint32_t kNoKey = kNoToken << kPlaceBits;
    static_assert(kShortPiece + 2 <= size_t{1} << kPlaceBits && kIndexBits + kPlaceBits < 32);
    static NLPKIT_INLINE uint32_t key_of(TokenIndex merged, uint32_t place) { return merged << kPlaceBits | place; }

    alignas(64) uint32_t keys[kShortPiece + 8];
    TokenIndex tokens[kShortPiece + 2];
    uint32_t count = 0;
};

/// Puts the single bytes of a piece of 1 to kShortPiece bytes into `piece`.
void start_from_bytes(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view bytes,
                      ShortPiece& piece);

/// Merges what is in `piece`, writes its tokens to `out` and returns how many.
size_t merge_short(const PairTable& pairs, ShortPiece& piece, TokenIndex* out);

}  // namespace nlpkit
