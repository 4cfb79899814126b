#include "word2vec/block.hpp"

#include <algorithm>

namespace nlpkit {

namespace {

/// Fetches the rows of planned centres into the cache, some centres ahead of their training.
template <class Rows>
class Prefetcher {
public:
    Prefetcher(const PlanSource& source, const BlockPlan& plan, Rows& rows)
        : source_(source), plan_(plan), rows_(rows) {
        for (size_t i = 0; i < (source.options.steps_per_pair() ? 1 : CENTRES_AHEAD); ++i) next();
    }

    void next() {
        if (centre_ == plan_.centres.size()) return;
        const PlannedCentre& planned = plan_.centres[centre_++];
        const auto& kept = source_.kept.rows;
        if (source_.options.hierarchical())
            for (const PathStep& step : source_.path(planned.centre)) rows_.prefetch_target(step.node);
        else
            rows_.prefetch_target(static_cast<uint32_t>(kept[planned.centre]));
        // Windows overlap: of the inputs, only the one that newly comes into reach.
        const size_t newest = planned.centre + source_.options.window;
        if (newest < kept.size() && kept[newest] != DOCUMENT_START) rows_.prefetch_input(newest);
        const size_t count = source_.negatives_of(planned);
        for (size_t n = 0; n < count; ++n) rows_.prefetch_negative(plan_.negatives[negative_++]);
    }

private:
    static constexpr size_t CENTRES_AHEAD = 3;
    const PlanSource& source_;
    const BlockPlan& plan_;
    Rows& rows_;
    size_t centre_ = 0, negative_ = 0;
};

/// Takes the steps of one centre after the other; `Step` is `double(Example&)`.
template <class Rows, class Step>
class CentreTrainer {
public:
    CentreTrainer(const PlanSource& source, Rows& rows, Example& example, Step step)
        : source_(source), rows_(rows), example_(example), step_(step) {}

    /// One example for the centre: all its contexts together.
    double centre(const PlannedCentre& planned, const uint32_t* negatives) {
        example_.clear();
        for (size_t i = planned.first; i < planned.centre; ++i) example_.add_input(rows_.input(i));
        for (size_t i = planned.centre + 1; i < planned.last; ++i) example_.add_input(rows_.input(i));
        example_.merge_inputs();
        add_outputs(planned.centre, negatives);
        return step_(example_);
    }

    /// One example for each (context, centre) pair, with negatives of its own.
    double pairs(const PlannedCentre& planned, const uint32_t* negatives) {
        double loss = 0;
        for (size_t i = planned.first; i < planned.last; ++i) {
            if (i == planned.centre) continue;
            example_.clear();
            example_.add_input(rows_.input(i));
            add_outputs(planned.centre, negatives);
            loss += step_(example_);
            negatives += source_.options.negative;
        }
        return loss;
    }

private:
    /// The centre and its negatives, or the inner nodes on its path. A negative equal to the centre is left out, not
    /// drawn again; one drawn twice counts twice.
    void add_outputs(size_t centre, const uint32_t* negatives) {
        if (source_.options.hierarchical()) {
            for (const PathStep& step : source_.path(centre))
                example_.append_output(rows_.target(step.node), static_cast<float>(1 - step.right));
            return;
        }
        const auto target = static_cast<uint32_t>(source_.kept.rows[centre]);
        example_.append_output(rows_.target(target), 1);
        for (size_t n = 0; n < source_.options.negative; ++n)
            if (negatives[n] != target) example_.add_output(rows_.negative(negatives[n]), 0);
    }

    const PlanSource& source_;
    Rows& rows_;
    Example& example_;
    Step step_;
};

template <class Rows, class Step>
BlockStatistics run(const PlanSource& source, Rows& rows, BlockWorkspace& workspace, Step step) {
    Prefetcher<Rows> prefetcher(source, workspace.plan, rows);
    CentreTrainer<Rows, Step> trainer(source, rows, workspace.example, step);
    const uint32_t* negatives = workspace.plan.negatives.data();
    BlockStatistics statistics;
    for (const PlannedCentre& planned : workspace.plan.centres) {
        prefetcher.next();
        statistics.loss +=
            source.options.steps_per_pair() ? trainer.pairs(planned, negatives) : trainer.centre(planned, negatives);
        statistics.predictions += source.options.cbow() ? 1 : planned.contexts();
        negatives += source.negatives_of(planned);
    }
    return statistics;
}

InputUse input_use(Architecture architecture) {
    switch (architecture) {
        case Architecture::cbow: return InputUse::mean;
        case Architecture::cbow_sum: return InputUse::sum;
        default: return InputUse::each;
    }
}

}  // namespace

BlockWorkspace::BlockWorkspace(const PlanSource& source, size_t row_floats)
    : example(2 * size_t{source.options.window}, source.most_outputs(), row_floats,
              input_use(source.options.architecture)) {}

BlockStatistics train_block(const PlanSource& source, float lr, SharedRows& rows, BlockWorkspace& workspace) {
    return run(source, rows, workspace, [lr](Example& example) { return train_example(example, lr); });
}

BlockStatistics train_block(const PlanSource& source, float lr, BlockRows& rows, BlockWorkspace& workspace) {
    return run(source, rows, workspace, [lr](Example& example) { return train_example(example, lr); });
}

BlockStatistics score_block(const PlanSource& source, SharedRows& rows, BlockWorkspace& workspace) {
    return run(source, rows, workspace, [](Example& example) { return score_example(example); });
}

}  // namespace nlpkit
