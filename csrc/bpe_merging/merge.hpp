// Byte-pair merging of one piece of text, exactly as tiktoken does it.
//
// Start from single bytes; as long as the bytes of two neighbours make a token, merge the neighbours whose
// token has the smallest rank, the leftmost of equals. Two ways: a vectorised search for the minimum in
// short pieces, a heap in long ones (n log n; no input makes it quadratic). The heap serves any rank table;
// for those that training could have made, long_piece.hpp has a faster way.
#pragma once

#include <cstddef>
#include <string_view>

#include "bpe_merging/linked_piece.hpp"
#include "bpe_merging/pair_table.hpp"
#include "bpe_merging/short_piece.hpp"

namespace nlpkit {

/// Merges a piece of any length below 2^32 from its single bytes; `out` has room for one token a byte.
/// Returns how many tokens were written.
size_t merge_bytes(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view bytes,
                   LinkedPiece& scratch, TokenIndex* out);

}  // namespace nlpkit
