// Training on several threads with a result that depends on none of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "support/job.hpp"
#include "word2vec/block.hpp"
#include "word2vec/options.hpp"
#include "word2vec/plan.hpp"
#include "word2vec/rows.hpp"

namespace nlpkit {

/// A stretch of kept tokens to train on as centres.
struct Stretch {
    const PlanSource& source;
    size_t begin;
    size_t end;
    std::function<float(uint64_t)> learning_rate;  // at a position of the corpus
    unsigned threads;
    Job& job;

    size_t blocks(size_t tokens) const { return begin < end ? (end - begin + tokens - 1) / tokens : 0; }
    Block block(size_t i, size_t tokens) const;
};

/// How many blocks make a round, and of how many kept tokens each. All blocks of a round start from the same rows, so
/// a row that several of them change takes their steps at once. Rounds are so short that this costs no measurable
/// quality (docs/embeddings.md), and shorter still where the steps of the most frequent row could overshoot
/// together: in small vocabularies, without subsampling, at high learning rates.
struct RoundShape {
    RoundShape(const Word2VecOptions& options, double changes_per_token);

    size_t blocks;
    size_t tokens;
};

/// Each block of a round trains on private copies of the rows as they were when the round began; then all changes
/// are added in the order of the blocks.
class RoundTrainer {
public:
    RoundTrainer(const PlanSource& source, Matrix& input, Matrix& output, const RoundShape& shape);

    std::vector<BlockStatistics> train(const Stretch& stretch);

private:
    struct Place {
        BlockWorkspace workspace;
        BlockRows rows;
    };

    RoundShape shape_;
    size_t row_floats_;
    std::vector<Place> places_;
};

}  // namespace nlpkit
