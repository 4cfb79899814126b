// Byte-pair merging of one piece of text, exactly as tiktoken does it.
//
// Start from single bytes; as long as the bytes of two neighbours make a token, merge the neighbours whose
// token has the smallest rank, the leftmost of equals. Two ways: a vectorised search for the minimum in
// short pieces, a heap in long ones (n log n; no input makes it quadratic).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bpe_encoding/pair_table.hpp"

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

/// The working memory of the heap; keep one a thread, and it is reused.
struct MergeScratch {
    std::vector<TokenIndex> tokens;
    std::vector<TokenIndex> merged;  // of the pair that starts here
    std::vector<uint32_t> next;
    std::vector<uint32_t> previous;
    std::vector<uint64_t> heap;  // merged << 32 | position

    /// Gives memory back after a piece of unusual length.
    void trim();
};

/// Merges a piece of any length below 2^32 from its single bytes; `out` has room for one token a byte.
/// Returns how many tokens were written.
size_t merge_bytes(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view bytes,
                   MergeScratch& scratch, TokenIndex* out);

}  // namespace nlpkit
