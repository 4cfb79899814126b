#include "word2vec/rounds.hpp"

#include <algorithm>

#include "support/task_team.hpp"

namespace nlpkit {

namespace {

constexpr double MOST_TOKENS = 128;  // kept tokens of a round
constexpr double MOST_STEP = 4.5;    // learning rate times scores that change one row in a round

// Which block of a round has which slice of the noise changes each time that so many positions have passed: seldom,
// so that a thread finds a slice's rows in its own cache.
constexpr uint64_t SLICE_POSITIONS = 1 << 13;
constexpr uint64_t SLICE_STREAM = UINT64_MAX;  // no position

size_t first_slice(const PlanSource& source, uint64_t position) {
    const uint64_t draw = source.random.child(SLICE_STREAM)(position / SLICE_POSITIONS);
    return below(draw, static_cast<uint32_t>(source.slices()));
}

}  // namespace

Block Stretch::block(size_t i, size_t tokens) const {
    const size_t first = begin + i * tokens;
    return {first, std::min(end, first + tokens), learning_rate(source.kept.positions[first])};
}

RoundShape::RoundShape(double lr, double steps_per_token, size_t most_blocks) {
    const double most = std::clamp(MOST_STEP / (lr * steps_per_token), 1.0, MOST_TOKENS);
    blocks = std::min(static_cast<size_t>(most), most_blocks);
    tokens = static_cast<size_t>(most) / blocks;
}

RoundTrainer::RoundTrainer(const PlanSource& source, Matrix& input, Matrix& output, const RoundShape& shape)
    : shape_(shape), row_floats_(input.stride()) {
    for (size_t i = 0; i < shape.blocks; ++i)
        places_.push_back({BlockWorkspace(source, row_floats_), BlockRows(source.kept, input, output)});
}

std::vector<BlockStatistics> RoundTrainer::train(const Stretch& stretch) {
    const PlanSource& source = stretch.source;
    std::vector<BlockStatistics> statistics(stretch.blocks(shape_.tokens));
    TaskTeam team(static_cast<unsigned>(std::min<size_t>(stretch.threads, shape_.blocks)));
    for (size_t round = 0; round < statistics.size(); round += shape_.blocks) {
        stretch.job.check();
        const size_t count = std::min(statistics.size() - round, shape_.blocks);
        const auto blocks = static_cast<uint32_t>(count);
        const size_t first = first_slice(source, source.kept.positions[stretch.block(round, shape_.tokens).begin]);
        team.run(blocks, [&](uint32_t i) {
            const Block block = stretch.block(round + i, shape_.tokens);
            places_[i].workspace.plan.draw(source, block.begin, block.end, (first + i) % source.slices());
            places_[i].rows.open(source, places_[i].workspace.plan);
        });
        team.run(blocks, [&](uint32_t i) {
            const Block block = stretch.block(round + i, shape_.tokens);
            statistics[round + i] = train_block(source, block.lr, places_[i].rows, places_[i].workspace);
            places_[i].rows.close();
        });
        team.run(MATRIX_PARTS, [&](uint32_t part) {
            for (size_t i = 0; i < count; ++i) {
                const auto& changes = places_[i].rows.changes(part);
                apply_changes(changes.data(), changes.size(), row_floats_);
            }
        });
    }
    return statistics;
}

}  // namespace nlpkit
