#include "word2vec/corpus.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace nlpkit {

void KeptTokens::append(const KeptTokens& other) {
    rows.insert(rows.end(), other.rows.begin(), other.rows.end());
    positions.insert(positions.end(), other.positions.begin(), other.positions.end());
    words += other.words;
    kept += other.kept;
}

void KeptTokens::prepend(const KeptTokens& other) {
    rows.insert(rows.begin(), other.rows.begin(), other.rows.end());
    positions.insert(positions.begin(), other.positions.begin(), other.positions.end());
    words += other.words;
    kept += other.kept;
}

void KeptTokens::drop_front(size_t count) {
    rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count));
    positions.erase(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(count));
}

Subsampler::Subsampler(std::span<const uint64_t> counts, double sample) : thresholds_(counts.size(), UINT32_MAX) {
    double total = 0;
    for (const uint64_t count : counts) total += static_cast<double>(count);
    for (size_t row = 0; row < counts.size() && sample > 0; ++row) {
        const double ratio = sample * total / static_cast<double>(counts[row]);
        const double keep = std::sqrt(ratio) + ratio;
        if (keep < 1) thresholds_[row] = static_cast<uint32_t>(keep * 0x1p32);
    }
}

KeptTokens keep_tokens(const TokenStream& corpus, uint64_t begin, uint64_t end, const Subsampler& subsampler,
                       CounterRandom random) {
    KeptTokens kept;
    const auto offsets = corpus.document_offsets;
    auto document = std::lower_bound(offsets.begin(), offsets.end(), begin);  // the first that starts here or later
    size_t shard = 0;
    uint64_t shard_begin = 0;
    for (uint64_t position = begin; position < end; ++position) {
        while (position >= shard_begin + corpus.shards[shard].size) shard_begin += corpus.shards[shard++].size;
        if (position == *document) {
            kept.rows.push_back(DOCUMENT_START);
            kept.positions.push_back(position);
            while (*document == position) ++document;  // empty documents; the last offset is past every position
        }
        const uint32_t id = corpus.shards[shard][position - shard_begin];
        if (id >= corpus.row_of_id.size())
            throw std::out_of_range("id " + std::to_string(id) + " at position " + std::to_string(position) +
                                    " is outside the vocabulary");
        const int32_t row = corpus.row_of_id[id];
        if (row < 0) continue;
        ++kept.words;
        if (!subsampler.keeps(static_cast<uint32_t>(row), random(position))) continue;
        ++kept.kept;
        kept.rows.push_back(row);
        kept.positions.push_back(position);
    }
    return kept;
}

}  // namespace nlpkit
