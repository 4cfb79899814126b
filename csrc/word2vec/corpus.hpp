// The token stream that word2vec trains on: shards of ids, cut at documents, filtered and subsampled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/counter_random.hpp"

namespace nlpkit {

/// Ids of one shard file, two or four bytes each.
struct IdSpan {
    const void* data;
    size_t size;
    bool wide;

    uint32_t operator[](size_t i) const {
        return wide ? static_cast<const uint32_t*>(data)[i] : static_cast<const uint16_t*>(data)[i];
    }
};

/// A corpus as it lies in its files. All pointers must outlive this.
struct TokenStream {
    std::vector<IdSpan> shards;
    std::span<const uint64_t> document_offsets;  // one more than documents, from 0 to the number of ids
    std::span<const int32_t> row_of_id;          // -1: the id is not trained and takes no place in a window

    uint64_t size() const { return document_offsets.empty() ? 0 : document_offsets.back(); }
};

/// Marks the start of a document among kept rows: no window reaches across it.
constexpr int32_t DOCUMENT_START = -1;

/// Tokens that survived, with their positions in the corpus (a document start has its first token's).
struct KeptTokens {
    std::vector<int32_t> rows;
    std::vector<uint64_t> positions;
    uint64_t words = 0;  // tokens read that have a row
    uint64_t kept = 0;   // of these, what subsampling left

    void append(const KeptTokens& other);
    void prepend(const KeptTokens& other);
    void drop_front(size_t count);
};

/// Keeps a token of row r with probability sqrt(s / f) + s / f, where f is the row's share of all tokens
/// (the 2013 C code; its paper states 1 - sqrt(s / f) instead). `sample` 0 keeps all.
class Subsampler {
public:
    Subsampler(std::span<const uint64_t> counts, double sample);

    /// `draw` is uniform.
    bool keeps(uint32_t row, uint64_t draw) const { return static_cast<uint32_t>(draw >> 32) <= thresholds_[row]; }
    double share(size_t row) const { return (thresholds_[row] + 1.0) * 0x1p-32; }

private:
    std::vector<uint32_t> thresholds_;
};

/// The tokens that stay of positions `begin` to `end`; `random` is the epoch's, addressed by position.
KeptTokens keep_tokens(const TokenStream& corpus, uint64_t begin, uint64_t end, const Subsampler& subsampler,
                       CounterRandom random);

}  // namespace nlpkit
