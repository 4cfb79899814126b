// word2vec (Mikolov et al. 2013) over shards of token ids: skip-gram and CBOW with negative sampling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "aligned.hpp"
#include "alias_table.hpp"
#include "job.hpp"
#include "word2vec_corpus.hpp"

namespace nlpkit {

enum class Architecture : uint8_t { skipgram, cbow };

/// `exact` draws negatives for each (centre, context) pair as the 2013 C code does; `shared` draws them once
/// for each centre and scores them against all its contexts.
enum class Negatives : uint8_t { shared, exact };

struct Word2VecOptions {
    uint32_t dim = 100;
    uint32_t window = 5;
    uint32_t negative = 5;
    uint32_t epochs = 5;
    double lr = 0.025;
    double sample = 1e-3;
    Architecture architecture = Architecture::skipgram;
    Negatives negatives = Negatives::shared;
    uint64_t seed = 1;
};

/// One float matrix whose rows start on cache lines and are zero past `dim`.
class Matrix {
public:
    Matrix(size_t rows, size_t dim)
        : rows_(rows), dim_(dim), stride_((dim + 15) / 16 * 16), values_(rows * stride_) {}

    float* row(size_t i) { return values_.data() + i * stride_; }
    size_t rows() const { return rows_; }
    size_t dim() const { return dim_; }
    size_t stride() const { return stride_; }

private:
    size_t rows_, dim_, stride_;
    AlignedFloats values_;
};

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
    Matrix input_, output_;
};

}  // namespace nlpkit
