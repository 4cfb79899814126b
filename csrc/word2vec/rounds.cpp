#include "word2vec/rounds.hpp"

#include <algorithm>

#include "support/task_team.hpp"

namespace nlpkit {

namespace {

constexpr double MOST_TOKENS = 256;  // kept tokens of a round
constexpr double MOST_STEP = 4.5;    // learning rate times scores that change one row in a round
constexpr size_t MOST_BLOCKS = 8;    // so many threads can work on a round

/// Rows of floats that a block may note: a change for each output, or one input for all outputs of a pair.
size_t most_notes(const PlanSource& source, size_t tokens) {
    const size_t for_each = source.negatives_per_pair() ? 2 * size_t{source.options.window} : 1 + size_t{source.options.negative};
    return tokens * for_each;
}

}  // namespace

Block Stretch::block(size_t i, size_t tokens) const {
    const size_t first = begin + i * tokens;
    return {first, std::min(end, first + tokens), learning_rate(source.kept.positions[first])};
}

RoundShape::RoundShape(const Word2VecOptions& options, double changes_per_token) {
    const double most = std::clamp(MOST_STEP / (options.lr * changes_per_token), 1.0, MOST_TOKENS);
    blocks = std::min(static_cast<size_t>(most), MOST_BLOCKS);
    tokens = static_cast<size_t>(most) / blocks;
}

RoundTrainer::RoundTrainer(const PlanSource& source, Matrix& input, Matrix& output, const RoundShape& shape)
    : shape_(shape), row_floats_(input.stride()) {
    const size_t reach = shape.tokens + 2 * size_t{source.options.window};
    for (size_t i = 0; i < shape.blocks; ++i)
        places_.push_back({BlockWorkspace(source.options, row_floats_),
                           BlockRows(source.kept, input, output, reach, most_notes(source, shape.tokens))});
}

std::vector<BlockStatistics> RoundTrainer::train(const Stretch& stretch) {
    std::vector<BlockStatistics> statistics(stretch.blocks(shape_.tokens));
    TaskTeam team(static_cast<unsigned>(std::min<size_t>(stretch.threads, shape_.blocks)));
    for (size_t round = 0; round < statistics.size(); round += shape_.blocks) {
        stretch.job.check();
        const size_t blocks = std::min(statistics.size() - round, shape_.blocks);
        team.run(static_cast<uint32_t>(blocks), [&](uint32_t i) {
            const Block block = stretch.block(round + i, shape_.tokens);
            statistics[round + i] = train_block(stretch.source, block, places_[i].rows, places_[i].workspace);
        });
        team.run(MATRIX_PARTS, [&](uint32_t part) {
            for (size_t i = 0; i < blocks; ++i) {
                const auto& changes = places_[i].rows.changes(part);
                apply_changes(changes.data(), changes.size(), row_floats_);
            }
        });
    }
    return statistics;
}

}  // namespace nlpkit
