// One gradient step of word2vec on gathered rows: logistic regression of outputs against inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "aligned.hpp"

namespace nlpkit {

/// Outputs are worked in groups of six (a centre and five negatives), in eight lanes of which two are idle:
/// six rows, six accumulators and four temporaries fill AVX2's sixteen registers.
constexpr size_t OUTPUT_GROUP = 6;
constexpr size_t LANES = 8;

/// The rows of one step. Each input is scored against each output; a row added twice counts twice. Rows are
/// 32-byte aligned, `row_lanes` vectors of eight floats, zero past the dimension.
struct Example {
    Example(size_t max_inputs, size_t max_outputs, size_t row_lanes);

    void clear();
    void add_input(float* row);
    /// `label` is 1 for an observed pair and 0 for a negative.
    void add_output(float* row, float label);

    // No row is in a list twice: a wide update would lose one of the two changes. The weight is its number.
    std::vector<float*> inputs;
    std::vector<float> input_weights;
    std::vector<float*> outputs;
    AlignedFloats labels;          // output i is lane i % 6 of group i / 6
    AlignedFloats output_weights;  // likewise, 0 in idle lanes
    size_t row_lanes;
    AlignedFloats gradients;      // scores, then lr * (label - sigmoid), groups x inputs x lanes
    AlignedFloats input_changes;  // used where there is more than one group
    AlignedFloats idle_row;       // stands in for the missing rows of the last group
    AlignedFloats mean;           // CBOW's input
    AlignedFloats mean_change;
};

/// One step of stochastic gradient descent on
///     loss = -sum_ij w_i v_j log sigmoid(+-<input_i, output_j>)      (Mikolov et al. 2013, equation 4)
/// with every gradient taken at the rows as they were before. The sigmoid is exact (the 2013 C code reads a table
/// and clamps at +-6). Returns the loss before the step.
double train_example(Example& example, float lr);

/// The same for CBOW: the one input is the mean of `inputs`, and each of them receives the whole change of the
/// mean (the 2013 C code; dividing it by their number would be the true gradient).
double train_mean_example(Example& example, float lr);

inline size_t output_lane(size_t i) { return i / OUTPUT_GROUP * LANES + i % OUTPUT_GROUP; }

inline void Example::clear() {
    for (size_t i = 0; i < outputs.size(); ++i) output_weights[output_lane(i)] = 0;
    inputs.clear();
    input_weights.clear();
    outputs.clear();
}

inline void Example::add_input(float* row) {
    for (size_t i = 0; i < inputs.size(); ++i)
        if (inputs[i] == row) {
            input_weights[i] += 1;
            return;
        }
    inputs.push_back(row);
    input_weights.push_back(1);
}

inline void Example::add_output(float* row, float label) {
    for (size_t i = 0; i < outputs.size(); ++i)
        if (outputs[i] == row) {
            output_weights[output_lane(i)] += 1;
            return;
        }
    labels[output_lane(outputs.size())] = label;
    output_weights[output_lane(outputs.size())] = 1;
    outputs.push_back(row);
}

}  // namespace nlpkit
