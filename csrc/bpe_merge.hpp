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

#include "pair_table.hpp"

namespace nlpkit {

/// Pieces up to this many bytes take the vectorised way. The minimum's position has 7 bits of the key.
inline constexpr size_t kShortPiece = 128;

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

/// Merges `piece` and writes its tokens to `out`, which has room for one a byte; returns how many.
/// Pieces are shorter than 2^32 bytes.
size_t merge_piece(const PairTable& pairs, const std::array<TokenIndex, 256>& byte_tokens,
                   std::string_view piece, MergeScratch& scratch, TokenIndex* out);

}  // namespace nlpkit
