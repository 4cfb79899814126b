// Training one block of centres as planned.
#pragma once

#include "word2vec/kernel.hpp"
#include "word2vec/plan.hpp"
#include "word2vec/rows.hpp"

namespace nlpkit {

struct BlockStatistics {
    double loss = 0;           // summed over predictions
    uint64_t predictions = 0;  // (centre, context) pairs, or centres for CBOW
};

/// Kept tokens that are centres one after the other, at one learning rate.
struct Block {
    size_t begin;
    size_t end;
    float lr;
};

/// What one block is worked with; reused for the next.
struct BlockWorkspace {
    BlockWorkspace(const PlanSource& source, size_t row_floats);

    BlockPlan plan;
    Example example;
};

/// Trains on the plan of a workspace. Skip-gram's input is the context word and its target the centre, as in the
/// 2013 C code.
BlockStatistics train_block(const PlanSource& source, float lr, SharedRows& rows, BlockWorkspace& workspace);
BlockStatistics train_block(const PlanSource& source, float lr, BlockRows& rows, BlockWorkspace& workspace);

/// The loss that `train_block` would return, with nothing changed.
BlockStatistics score_block(const PlanSource& source, SharedRows& rows, BlockWorkspace& workspace);

}  // namespace nlpkit
