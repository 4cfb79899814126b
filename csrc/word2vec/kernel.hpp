// One gradient step of word2vec on gathered rows: logistic regression of outputs against inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/aligned.hpp"

namespace nlpkit {

/// Outputs are worked in groups of six (a centre and five negatives), in eight lanes of which two are idle:
/// six rows, six accumulators and four temporaries fill AVX2's sixteen registers.
constexpr size_t OUTPUT_GROUP = 6;
constexpr size_t LANES = 8;

/// Where a step puts the changes of the outputs.
enum class OutputChanges : uint8_t {
    in_place,   // into the rows themselves
    apart,      // each into a row of its own, `output_changes`
    as_factors  // one input: a change is that input as it was, kept in `input_before`, times a gradient
};

/// The rows of one step: each input is scored against each output. Rows are whole cache lines, zero past the
/// dimension. No row may be in a list twice, since a step would lose one of its two changes; it has a weight
/// instead, the number of times that it was added.
class Example {
public:
    Example(size_t max_inputs, size_t max_outputs, size_t row_floats);

    void clear();
    void add_input(float* row);
    /// `label` is 1 for an observed pair and 0 for a negative.
    void add_output(float* row, float label);
    /// Call when all inputs are added: makes one of those that were added twice.
    void merge_inputs();
    /// The gradient of an output, after a step with one input.
    float factor(size_t output) const { return gradients[output / OUTPUT_GROUP * LANES + output % OUTPUT_GROUP]; }

    size_t row_floats;
    size_t input_count = 0;
    std::vector<float*> inputs;
    std::vector<float> input_weights;
    size_t output_count = 0;
    std::vector<float*> outputs;
    OutputChanges changes = OutputChanges::in_place;
    std::vector<float*> output_changes;
    float* input_before = nullptr;
    AlignedFloats labels;          // output i is lane i % 6 of group i / 6
    AlignedFloats output_weights;  // likewise, 0 in idle lanes
    AlignedFloats gradients;       // scores, then lr * (label - sigmoid), groups x inputs x lanes
    AlignedFloats input_changes;   // used where there is more than one group
    AlignedFloats idle_row;        // stands in for the missing rows of the last group
    AlignedFloats idle_change;
    AlignedFloats mean;  // CBOW's input
    AlignedFloats mean_change;
};

/// target += factor * source, over a row.
struct RowChange {
    float* target;
    const float* source;
    float factor;
};

void apply_changes(const RowChange* changes, size_t count, size_t row_floats);

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
    for (size_t i = 0; i < output_count; ++i) output_weights[output_lane(i)] = 0;
    input_count = output_count = 0;
}

inline void Example::add_input(float* row) {
    inputs[input_count] = row;
    input_weights[input_count++] = 1;
}

inline void Example::merge_inputs() {
    bool any = false;  // no early end: a loop without branches is faster for the few inputs that there are
    for (size_t i = 1; i < input_count; ++i)
        for (size_t j = 0; j < i; ++j) any |= inputs[i] == inputs[j];
    if (!any) return;
    const size_t count = input_count;
    input_count = 0;
    for (size_t i = 0; i < count; ++i) {
        size_t j = 0;
        while (j < input_count && inputs[j] != inputs[i]) ++j;
        if (j < input_count)
            input_weights[j] += 1;
        else
            add_input(inputs[i]);
    }
}

inline void Example::add_output(float* row, float label) {
    bool repeated = false;
    for (size_t i = 0; i < output_count; ++i) repeated |= outputs[i] == row;
    if (repeated) {
        for (size_t i = 0; i < output_count; ++i)
            if (outputs[i] == row) output_weights[output_lane(i)] += 1;
        return;
    }
    outputs[output_count] = row;
    labels[output_lane(output_count)] = label;
    output_weights[output_lane(output_count)] = 1;
    ++output_count;
}

}  // namespace nlpkit
