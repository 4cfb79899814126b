// word2vec (Mikolov et al. 2013) over shards of token ids: skip-gram and CBOW with negative sampling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/alias_table.hpp"
#include "support/job.hpp"
#include "word2vec/corpus.hpp"
#include "word2vec/options.hpp"
#include "word2vec/rounds.hpp"
#include "word2vec/rows.hpp"

namespace nlpkit {

struct EpochStatistics {
    double loss = 0;           // summed over predictions
    uint64_t predictions = 0;  // (centre, context) pairs, or centres for CBOW
    uint64_t words = 0;        // tokens in the vocabulary
    uint64_t kept = 0;         // of these, after subsampling
};

class Word2Vec {
public:
    /// `counts`: how often each row occurs in the corpus, all above 0.
    Word2Vec(const Word2VecOptions& options, std::span<const uint64_t> counts);

    /// One pass over the corpus. With `hogwild`, `threads` threads update the same rows without locks, and two
    /// runs differ; without it the result is the same for any number of threads. `job.done` counts tokens.
    EpochStatistics train_epoch(const TokenStream& corpus, uint32_t epoch, unsigned threads, bool hogwild, Job& job);

    const Word2VecOptions& options() const { return options_; }
    Matrix& input() { return input_; }
    Matrix& output() { return output_; }

    /// Learning rate at a position: linear in tokens over all epochs, at least 1e-4 of its start.
    float learning_rate(uint32_t epoch, uint64_t position, uint64_t corpus_size) const;

private:
    Word2VecOptions options_;
    Subsampler subsampler_;
    AliasTable noise_;
    RoundShape round_shape_;
    Matrix input_, output_;
};

}  // namespace nlpkit
