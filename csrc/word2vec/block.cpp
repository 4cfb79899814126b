#include "word2vec/block.hpp"

#include <algorithm>

namespace nlpkit {

namespace {

/// Fetches the rows of planned centres into the cache, some centres ahead of their training.
class Prefetcher {
public:
    Prefetcher(const PlanSource& source, const BlockPlan& plan, Matrix& inputs, Matrix& outputs)
        : source_(source), plan_(plan), inputs_(inputs), outputs_(outputs), per_pair_(source.negatives_per_pair()) {
        for (size_t i = 0; i < (per_pair_ ? 1 : CENTRES_AHEAD); ++i) next();
    }

    void next() {
        if (centre_ == plan_.centres.size()) return;
        const PlannedCentre& planned = plan_.centres[centre_++];
        const auto& kept = source_.kept.rows;
        outputs_.prefetch(static_cast<size_t>(kept[planned.centre]));
        // Windows overlap: of the inputs, only the one that newly comes into reach.
        const size_t newest = planned.centre + source_.options.window;
        if (newest < kept.size() && kept[newest] != DOCUMENT_START) inputs_.prefetch(static_cast<size_t>(kept[newest]));
        const size_t count = source_.negatives_of(planned);
        for (size_t n = 0; n < count; ++n) outputs_.prefetch(plan_.negatives[negative_++]);
    }

private:
    static constexpr size_t CENTRES_AHEAD = 3;
    const PlanSource& source_;
    const BlockPlan& plan_;
    Matrix& inputs_;
    Matrix& outputs_;
    bool per_pair_;
    size_t centre_ = 0, negative_ = 0;
};

/// Trains on one centre after the other.
template <class Rows>
class CentreTrainer {
public:
    CentreTrainer(const PlanSource& source, Rows& rows, float lr, Example& example)
        : source_(source), rows_(rows), lr_(lr), example_(example) {}

    /// One example for the centre: all its contexts, or for CBOW their mean, against its negatives.
    double centre(const PlannedCentre& planned, const uint32_t* negatives) {
        example_.clear();
        for (size_t i = planned.first; i < planned.centre; ++i) example_.add_input(rows_.input(i));
        for (size_t i = planned.centre + 1; i < planned.last; ++i) example_.add_input(rows_.input(i));
        example_.merge_inputs();
        return step(planned, negatives);
    }

    /// One example for each (context, centre) pair, with negatives of its own.
    double pairs(const PlannedCentre& planned, const uint32_t* negatives) {
        double loss = 0;
        for (size_t i = planned.first; i < planned.last; ++i) {
            if (i == planned.centre) continue;
            example_.clear();
            example_.add_input(rows_.input(i));
            loss += step(planned, negatives);
            negatives += source_.options.negative;
        }
        return loss;
    }

private:
    /// The step against the centre and its negatives. One equal to the centre is left out, not drawn again; one
    /// drawn twice counts twice.
    double step(const PlannedCentre& planned, const uint32_t* negatives) {
        const bool cbow = source_.options.architecture == Architecture::cbow;
        const auto target = static_cast<uint32_t>(source_.kept.rows[planned.centre]);
        example_.add_output(rows_.outputs().row(target), 1);
        for (size_t n = 0; n < source_.options.negative; ++n)
            if (negatives[n] != target) example_.add_output(rows_.outputs().row(negatives[n]), 0);
        rows_.before_step(example_, cbow ? 1 : example_.input_count);
        const double loss = cbow ? train_mean_example(example_, lr_) : train_example(example_, lr_);
        rows_.after_step(example_);
        return loss;
    }

    const PlanSource& source_;
    Rows& rows_;
    float lr_;
    Example& example_;
};

template <class Rows>
BlockStatistics train(const PlanSource& source, const Block& block, Rows& rows, BlockWorkspace& workspace) {
    workspace.plan.draw(source, block.begin, block.end);
    Prefetcher prefetcher(source, workspace.plan, rows.inputs(), rows.outputs());
    CentreTrainer<Rows> trainer(source, rows, block.lr, workspace.example);
    const bool per_pair = source.negatives_per_pair(), cbow = source.options.architecture == Architecture::cbow;
    const uint32_t* negatives = workspace.plan.negatives.data();
    BlockStatistics statistics;
    for (const PlannedCentre& planned : workspace.plan.centres) {
        prefetcher.next();
        statistics.loss += per_pair ? trainer.pairs(planned, negatives) : trainer.centre(planned, negatives);
        statistics.predictions += cbow ? 1 : planned.contexts();
        negatives += source.negatives_of(planned);
    }
    return statistics;
}

}  // namespace

BlockStatistics train_block(const PlanSource& source, const Block& block, SharedRows& rows, BlockWorkspace& workspace) {
    return train(source, block, rows, workspace);
}

BlockStatistics train_block(const PlanSource& source, const Block& block, BlockRows& rows, BlockWorkspace& workspace) {
    const size_t window = source.options.window;
    rows.start(block.begin - std::min(block.begin, window), std::min(source.kept.rows.size(), block.end + window));
    const BlockStatistics statistics = train(source, block, rows, workspace);
    rows.finish();
    return statistics;
}

}  // namespace nlpkit
