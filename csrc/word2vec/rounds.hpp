// Training on several threads with a result that depends on none of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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
    const Job& job;

    size_t blocks(size_t tokens) const { return begin < end ? (end - begin + tokens - 1) / tokens : 0; }
    Block block(size_t i, size_t tokens) const;
};

/// The most blocks of a round: so many threads can work on it, and so many slices the noise has.
constexpr size_t MOST_BLOCKS = 4;

/// How many blocks make a round, and of how many kept tokens each. A row that several blocks of a round change as
/// input or target takes their steps at once, since all start from the same copies. Rounds are so short that this
/// costs no measurable quality (docs/embeddings.md), and shorter still where the steps of the most frequent row could
/// overshoot together: in small vocabularies, without subsampling, at high learning rates.
struct RoundShape {
    /// `steps_per_token`: how many scores of a round change the row that is met most often, for each kept token.
    RoundShape(double lr, double steps_per_token, size_t most_blocks);

    size_t blocks;
    size_t tokens;
};

/// Each block of a round copies the inputs and targets that it needs, trains on the copies and, in place, on
/// negatives of a slice of its own; then all changes of the copies are added in the order of the blocks.
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
