// BPE-dropout: merging in which every possible merge is left out by chance, so that the same text comes out in
// other tokens each time (Provilkov, Emelianenko and Voita 2020, arXiv:1910.13267, algorithm 1).
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "bpe_merging/linked_piece.hpp"
#include "bpe_merging/pair_table.hpp"
#include "bpe_merging/short_piece.hpp"
#include "support/counter_random.hpp"

namespace nlpkit {

/// The working memory; keep one a thread, and it is reused.
struct DropoutScratch {
    LinkedPiece piece;
    std::vector<LinkedPiece::Merge> dropped;
};

/// Merges a piece below 2^32 bytes from its single bytes: step by step, each merge that is possible is left out
/// with the probability, independently; of those that are not, the one of the smallest rank is made, the leftmost
/// of equals; when all are left out, it ends. `out` has room for one token a byte; returns how many were written.
/// A step looks at 1 / (1 - probability) merges on average.
size_t merge_with_dropout(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view piece,
                          double probability, CounterRandom random, DropoutScratch& scratch, TokenIndex* out);

}  // namespace nlpkit
