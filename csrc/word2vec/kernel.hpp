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

/// What is scored against the outputs.
enum class InputUse : uint8_t {
    each,  // every input by itself
    mean,  // CBOW
    sum    // CBOW of the first version of the 2013 C code
};

/// The rows of one step: each input is scored against each output. Rows are whole cache lines, zero past the
/// dimension. No row may be in a list twice, since a step would lose one of its two changes; it has a weight
/// instead, the number of times that it was added.
class Example {
public:
    Example(size_t max_inputs, size_t max_outputs, size_t row_floats, InputUse use);

    void clear();
    void add_input(float* row);
    /// `label` is 1 for an observed pair or a turn to the left, else 0.
    void add_output(float* row, float label);
    /// The same for a row that is known to be new.
    void append_output(float* row, float label);
    /// Call when all inputs are added: makes one of those that were added twice.
    void merge_inputs();

    size_t row_floats;
    InputUse use;
    size_t input_count = 0;
    std::vector<float*> inputs;
    std::vector<float> input_weights;
    size_t output_count = 0;
    std::vector<float*> outputs;
    AlignedFloats labels;          // output i is lane i % 6 of group i / 6
    AlignedFloats output_weights;  // likewise, 0 in idle lanes
    AlignedFloats gradients;       // scores, then lr * (label - sigmoid), groups x inputs x lanes
    AlignedFloats input_changes;   // used where there is more than one group
    AlignedFloats idle_row;        // stands in for the missing rows of the last group
    AlignedFloats combined;        // CBOW's one input
    AlignedFloats combined_before;
};

/// target += after - before, over a row.
struct RowChange {
    float* target;
    const float* after;
    const float* before;
};

void apply_changes(const RowChange* changes, size_t count, size_t row_floats);

/// Copies a row to `target` and once more to what follows it.
void copy_twice(const float* row, float* target, size_t row_floats);

/// One step of stochastic gradient descent on
///     loss = -sum_ij w_i v_j log sigmoid(+-<input_i, output_j>)      (Mikolov et al. 2013, equation 4)
/// with every gradient taken at the rows as they were before. The sigmoid is exact (the 2013 C code reads a table
/// and clamps at +-6). For CBOW the one input is the mean or the sum of `inputs`, and each of them receives its whole
/// change (as in the 2013 C code; for the mean, dividing it by their number would be the true gradient). Returns the
/// loss before the step.
double train_example(Example& example, float lr);

/// The loss alone; no row changes.
double score_example(Example& example);

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
    append_output(row, label);
}

inline void Example::append_output(float* row, float label) {
    outputs[output_count] = row;
    labels[output_lane(output_count)] = label;
    output_weights[output_lane(output_count)] = 1;
    ++output_count;
}

}  // namespace nlpkit
