#include "word2vec_kernel.hpp"

#include <cstring>

#include "cpu.hpp"


namespace nlpkit {

namespace {

using Lanes = float __attribute__((vector_size(4 * LANES)));
using IntLanes = int32_t __attribute__((vector_size(4 * LANES)));

NLPKIT_INLINE Lanes load(const float* at) { return *reinterpret_cast<const Lanes*>(at); }
NLPKIT_INLINE void store(float* at, Lanes value) { *reinterpret_cast<Lanes*>(at) = value; }
NLPKIT_INLINE Lanes broadcast(float value) { return value - Lanes{}; }
NLPKIT_INLINE Lanes either(IntLanes mask, Lanes yes, Lanes no) {
    return reinterpret_cast<Lanes>((mask & reinterpret_cast<IntLanes>(yes)) | (~mask & reinterpret_cast<IntLanes>(no)));
}

NLPKIT_INLINE double sum(Lanes v) {
    double total = 0;
    for (size_t i = 0; i < LANES; ++i) total += static_cast<double>(v[i]);
    return total;
}

/// Within each 128-bit half: a and b, each folded to two sums.
NLPKIT_INLINE Lanes fold_to_two(Lanes a, Lanes b) {
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13) +
           __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
}

/// Within each half: two results of `fold_to_two`, folded to one sum each.
NLPKIT_INLINE Lanes fold_to_one(Lanes a, Lanes b) {
    return __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
           __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
}

/// The sums of six vectors, in lanes 0 to 5.
NLPKIT_INLINE Lanes sums(const Lanes (&v)[OUTPUT_GROUP]) {
    const Lanes first = fold_to_one(fold_to_two(v[0], v[1]), fold_to_two(v[2], v[3]));
    const Lanes last = fold_to_one(fold_to_two(v[4], v[5]), Lanes{});
    return __builtin_shufflevector(first, last, 0, 1, 2, 3, 8, 9, 10, 11) +
           __builtin_shufflevector(first, last, 4, 5, 6, 7, 12, 13, 14, 15);
}

/// exp(-x) for x >= 0: 2^n times a polynomial of degree 6 on [-1/2, 1/2], relative error below 1e-7.
NLPKIT_INLINE Lanes exp_of_minus(Lanes x) {
    Lanes t = x * -1.44269504f;
    t = either(t < -126.0f, broadcast(-126.0f), t);
    constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    const Lanes shifted = t + ROUND;
    const Lanes f = t - (shifted - ROUND);
    Lanes p = broadcast(1.5469732e-4f);
    for (const float c : {1.3400432e-3f, 9.618026e-3f, 5.5503272e-2f, 2.4022651e-1f, 6.931472e-1f, 1.0f}) p = p * f + c;
    const IntLanes exponent = (reinterpret_cast<IntLanes>(shifted) + 127) << 23;
    return p * reinterpret_cast<Lanes>(exponent);
}

/// log(1 + x) for 0 <= x <= 1: x times a polynomial of degree 8, relative error below 1e-7.
NLPKIT_INLINE Lanes log_one_plus(Lanes x) {
    Lanes p = broadcast(5.2534578e-3f);
    for (const float c : {-2.9588507e-2f, 7.8361668e-2f, -1.367477e-1f, 1.9111432e-1f, -2.484437e-1f, 3.3319271e-1f,
                          -4.99995e-1f, 1.0f})
        p = p * x + c;
    return p * x;
}

/// What one input's six scores amount to: the loss, and the gradient label - sigmoid(score).
struct Logistic {
    Lanes loss;
    Lanes gradient;
};

NLPKIT_INLINE Logistic logistic(Lanes score, Lanes label) {
    const Lanes size = either(score < 0.0f, -score, score);
    const Lanes e = exp_of_minus(size);
    const Lanes high = 1.0f / (1.0f + e);
    const Lanes sigmoid = either(score < 0.0f, e * high, high);
    const Lanes wrong = score * (1.0f - 2.0f * label);  // softplus of this is the loss
    return {either(wrong > 0.0f, wrong, Lanes{}) + log_one_plus(e), label - sigmoid};
}

/// Scores of `count` inputs (1 or 2) against one group of outputs.
template <size_t COUNT>
NLPKIT_INLINE void score_group(float* const* outputs, float* const* inputs, size_t floats, float* scores) {
    Lanes total[COUNT][OUTPUT_GROUP] = {};
    for (size_t k = 0; k < floats; k += LANES)
        for (size_t j = 0; j < COUNT; ++j) {
            const Lanes x = load(inputs[j] + k);
            for (size_t i = 0; i < OUTPUT_GROUP; ++i) total[j][i] += x * load(outputs[i] + k);
        }
    for (size_t j = 0; j < COUNT; ++j) store(scores + j * LANES, sums(total[j]));
}

/// The inputs of a step: an example's own, or the mean of them for CBOW.
struct Inputs {
    float* const* rows;
    const float* weights;
    size_t count;
};

/// Turns the scores of one group into gradients; returns the loss.
NLPKIT_INLINE Lanes score_to_gradient(const Example& example, const Inputs& inputs, size_t group, float* scores,
                                      float lr) {
    const Lanes label = load(example.labels.data() + group * LANES);
    const Lanes weight = load(example.output_weights.data() + group * LANES);
    Lanes loss{};
    for (size_t j = 0; j < inputs.count; ++j) {
        const Logistic step = logistic(load(scores + j * LANES), label);
        const Lanes weights = weight * inputs.weights[j];
        loss += weights * step.loss;
        store(scores + j * LANES, step.gradient * weights * lr);
    }
    return loss;
}

/// Scores, loss and gradients of every group, the last one filled up with the idle row.
NLPKIT_INLINE double score_all(Example& example, const Inputs& inputs, float lr) {
    const size_t floats = example.row_lanes * LANES;
    while (example.outputs.size() % OUTPUT_GROUP != 0) example.outputs.push_back(example.idle_row.data());
    Lanes loss{};
    for (size_t group = 0; group < example.outputs.size() / OUTPUT_GROUP; ++group) {
        float* const* outputs = example.outputs.data() + group * OUTPUT_GROUP;
        float* scores = example.gradients.data() + group * inputs.count * LANES;
        size_t j = 0;
        for (; j + 2 <= inputs.count; j += 2) score_group<2>(outputs, inputs.rows + j, floats, scores + j * LANES);
        if (j < inputs.count) score_group<1>(outputs, inputs.rows + j, floats, scores + j * LANES);
        loss += score_to_gradient(example, inputs, group, scores, lr);
    }
    return sum(loss);
}

/// Adds the gradients of one group to its outputs, and to the inputs or, where more groups still need the
/// inputs as they were, to `input_changes`.
template <bool ONLY_GROUP>
NLPKIT_INLINE void update_group(Example& example, const Inputs& inputs, size_t group) {
    const size_t floats = example.row_lanes * LANES;
    float* const* outputs = example.outputs.data() + group * OUTPUT_GROUP;
    const float* gradients = example.gradients.data() + group * inputs.count * LANES;
    for (size_t k = 0; k < floats; k += LANES) {
        Lanes old[OUTPUT_GROUP], updated[OUTPUT_GROUP];
        for (size_t i = 0; i < OUTPUT_GROUP; ++i) updated[i] = old[i] = load(outputs[i] + k);
        for (size_t j = 0; j < inputs.count; ++j) {
            const Lanes x = load(inputs.rows[j] + k);
            float* const target = ONLY_GROUP ? inputs.rows[j] + k : &example.input_changes[j * floats + k];
            Lanes change = ONLY_GROUP ? x : load(target);
            for (size_t i = 0; i < OUTPUT_GROUP; ++i) {
                const float gradient = gradients[j * LANES + i];
                change += gradient * old[i];
                updated[i] += gradient * x;
            }
            store(target, change);
        }
        for (size_t i = 0; i < OUTPUT_GROUP; ++i) store(outputs[i] + k, updated[i]);
    }
}

NLPKIT_INLINE void add_to(float* target, const float* change, float factor, size_t floats) {
    for (size_t k = 0; k < floats; k += LANES) store(target + k, load(target + k) + factor * load(change + k));
}

NLPKIT_INLINE void update_all(Example& example, const Inputs& inputs) {
    if (example.outputs.size() == OUTPUT_GROUP) return update_group<true>(example, inputs, 0);
    const size_t floats = example.row_lanes * LANES;
    std::memset(example.input_changes.data(), 0, inputs.count * floats * sizeof(float));
    for (size_t group = 0; group < example.outputs.size() / OUTPUT_GROUP; ++group)
        update_group<false>(example, inputs, group);
    for (size_t j = 0; j < inputs.count; ++j)
        add_to(inputs.rows[j], &example.input_changes[j * floats], 1.0f, floats);
}

/// Writes the weighted mean of the inputs to `mean`.
NLPKIT_INLINE void average_inputs(const Example& example, float* mean, size_t floats) {
    float total = 0;
    for (const float weight : example.input_weights) total += weight;
    for (size_t k = 0; k < floats; k += LANES) {
        Lanes weighted{};
        for (size_t j = 0; j < example.inputs.size(); ++j)
            weighted += example.input_weights[j] * load(example.inputs[j] + k);
        store(mean + k, weighted / total);
    }
}

}  // namespace

Example::Example(size_t max_inputs, size_t max_outputs, size_t lanes)
    : labels((max_outputs / OUTPUT_GROUP + 1) * LANES),
      output_weights(labels.size()),
      row_lanes(lanes),
      gradients(labels.size() * max_inputs),
      input_changes(max_inputs * lanes * LANES),
      idle_row(lanes * LANES),
      mean(lanes * LANES),
      mean_change(lanes * LANES) {
    inputs.reserve(max_inputs);
    input_weights.reserve(max_inputs);
    outputs.reserve(max_outputs + OUTPUT_GROUP);
}

NLPKIT_SIMD double train_example(Example& example, float lr) {
    const Inputs inputs{example.inputs.data(), example.input_weights.data(), example.inputs.size()};
    const double loss = score_all(example, inputs, lr);
    update_all(example, inputs);
    return loss;
}

NLPKIT_SIMD double train_mean_example(Example& example, float lr) {
    const size_t floats = example.row_lanes * LANES;
    float* const mean = example.mean.data();
    float* const change = example.mean_change.data();
    average_inputs(example, mean, floats);
    std::memcpy(change, mean, floats * sizeof(float));
    constexpr float ONCE = 1;
    const Inputs inputs{&mean, &ONCE, 1};
    const double loss = score_all(example, inputs, lr);
    update_all(example, inputs);
    for (size_t k = 0; k < floats; k += LANES) store(change + k, load(mean + k) - load(change + k));
    for (size_t j = 0; j < example.inputs.size(); ++j)
        add_to(example.inputs[j], change, example.input_weights[j], floats);
    return loss;
}

}  // namespace nlpkit
