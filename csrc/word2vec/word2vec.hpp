// word2vec (Mikolov et al. 2013) over shards of token ids: skip-gram and CBOW, negative sampling and hierarchical
// softmax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "support/job.hpp"
#include "word2vec/corpus.hpp"
#include "word2vec/huffman.hpp"
#include "word2vec/noise.hpp"
#include "word2vec/options.hpp"
#include "word2vec/rounds.hpp"
#include "word2vec/rows.hpp"

namespace nlpkit {

struct EpochStatistics {
    double loss = 0;           // summed over predictions
    uint64_t predictions = 0;  // (centre, context) pairs, or centres for CBOW
    uint64_t words = 0;        // tokens in the vocabulary
    uint64_t kept = 0;         // of these, after subsampling

    void add(const BlockStatistics& block);
};

/// Where training stands, or how far it shall go: a position of the corpus, a multiple of CHUNK_TOKENS or its end.
struct Progress {
    uint32_t epoch;
    uint64_t position;
};

constexpr uint64_t CHUNK_TOKENS = 1 << 18;  // read, filtered, subsampled and trained on at a time

class Word2Vec {
public:
    /// `counts`: how often each row occurs in the corpus, all above 0.
    Word2Vec(const Word2VecOptions& options, std::span<const uint64_t> counts);

    /// Trains on the centres between two positions of an epoch. With options.hogwild, threads update the same rows
    /// without locks, and two runs differ; without it the result is the same for any number of threads, and for an
    /// epoch in one stretch or several. `job.done` counts tokens of all epochs.
    EpochStatistics train(const TokenStream& corpus, Progress from, uint64_t to, unsigned threads, Job& job);

    /// The loss on another corpus. The random choices are the same at every call, so that epochs compare.
    EpochStatistics evaluate(const TokenStream& corpus, unsigned threads, Job& job);

    const Word2VecOptions& options() const { return options_; }
    Matrix& input() { return input_; }
    Matrix& output() { return output_; }

    /// Learning rate at a position: linear in tokens over all epochs, at least 1e-4 of its start.
    float learning_rate(uint32_t epoch, uint64_t position, uint64_t corpus_size) const;

private:
    double steps_per_token(std::span<const uint64_t> counts) const;

    Word2VecOptions options_;
    Subsampler subsampler_;
    std::optional<Noise> noise_;
    std::optional<HuffmanTree> tree_;
    RoundShape round_shape_;
    Matrix input_, output_;
};

}  // namespace nlpkit
