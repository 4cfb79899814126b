#include "word2vec/kernel.hpp"

#include <cstring>

#include "support/cpu.hpp"

namespace nlpkit {

namespace {

using Lanes = float __attribute__((vector_size(4 * LANES)));
using IntLanes = int32_t __attribute__((vector_size(4 * LANES)));

// Long loops over a row go by vectors of `Wide`: 8 floats, or 16 where the processor has AVX-512.
using Lanes16 = float __attribute__((vector_size(64)));

template <class Vector = Lanes>
NLPKIT_INLINE Vector load(const float* at) { return *reinterpret_cast<const Vector*>(at); }
template <class Vector>
NLPKIT_INLINE void store(float* at, Vector value) { *reinterpret_cast<Vector*>(at) = value; }
template <class Vector>
constexpr size_t WIDTH = sizeof(Vector) / sizeof(float);
constexpr size_t LINE_FLOATS = AlignedFloats::ALIGNMENT / sizeof(float);
NLPKIT_INLINE Lanes broadcast(float value) { return value - Lanes{}; }
NLPKIT_INLINE Lanes either(IntLanes mask, Lanes yes, Lanes no) {
    return reinterpret_cast<Lanes>((mask & reinterpret_cast<IntLanes>(yes)) | (~mask & reinterpret_cast<IntLanes>(no)));
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

NLPKIT_INLINE double sum(Lanes v) {
    const Lanes folded = fold_to_one(fold_to_two(v, v), Lanes{});
    return static_cast<double>(folded[0] + folded[4]);
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

NLPKIT_INLINE Lanes halved(Lanes v) { return v; }
NLPKIT_INLINE Lanes halved(Lanes16 v) {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}

/// Scores of COUNT inputs against one group of outputs.
template <class Wide, size_t COUNT>
NLPKIT_INLINE void score_group(float* const* outputs, float* const* inputs, size_t floats, float* scores) {
    Wide total[COUNT][OUTPUT_GROUP] = {};
    for (size_t k = 0; k < floats; k += WIDTH<Wide>) {
        Wide x[COUNT];
        for (size_t j = 0; j < COUNT; ++j) x[j] = load<Wide>(inputs[j] + k);
        for (size_t i = 0; i < OUTPUT_GROUP; ++i) {
            const Wide output = load<Wide>(outputs[i] + k);
            for (size_t j = 0; j < COUNT; ++j) total[j][i] += x[j] * output;
        }
    }
    for (size_t j = 0; j < COUNT; ++j) {
        Lanes folded[OUTPUT_GROUP];
        for (size_t i = 0; i < OUTPUT_GROUP; ++i) folded[i] = halved(total[j][i]);
        store(scores + j * LANES, sums(folded));
    }
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

NLPKIT_INLINE size_t group_count(const Example& example) {
    return (example.output_count + OUTPUT_GROUP - 1) / OUTPUT_GROUP;
}

NLPKIT_INLINE void fill_last_group(Example& example) {
    for (size_t i = example.output_count; i < group_count(example) * OUTPUT_GROUP; ++i)
        example.outputs[i] = example.idle_row.data();
}

/// Scores, loss and gradients of every group.
template <class Wide>
NLPKIT_INLINE double score_all(Example& example, const Inputs& inputs, float lr) {
    const size_t floats = example.row_floats;
    fill_last_group(example);
    Lanes loss{};
    for (size_t group = 0; group < group_count(example); ++group) {
        float* const* outputs = example.outputs.data() + group * OUTPUT_GROUP;
        float* scores = example.gradients.data() + group * inputs.count * LANES;
        constexpr size_t TILE = 2;  // inputs whose sums fit the registers
        size_t j = 0;
        for (; j + TILE <= inputs.count; j += TILE)
            score_group<Wide, TILE>(outputs, inputs.rows + j, floats, scores + j * LANES);
        for (; j < inputs.count; ++j) score_group<Wide, 1>(outputs, inputs.rows + j, floats, scores + j * LANES);
        loss += score_to_gradient(example, inputs, group, scores, lr);
    }
    return sum(loss);
}

/// Takes the step of one group: changes its outputs, and adds to the inputs or, where more groups still need the
/// inputs as they were, to `input_changes`.
template <class Wide, bool ONLY_GROUP>
NLPKIT_INLINE void update_group(Example& example, const Inputs& inputs, size_t group) {
    const size_t floats = example.row_floats;
    float* const* outputs = example.outputs.data() + group * OUTPUT_GROUP;
    const float* gradients = example.gradients.data() + group * inputs.count * LANES;
    for (size_t k = 0; k < floats; k += WIDTH<Wide>) {
        Wide old[OUTPUT_GROUP], changed[OUTPUT_GROUP];
        for (size_t i = 0; i < OUTPUT_GROUP; ++i) changed[i] = old[i] = load<Wide>(outputs[i] + k);
        for (size_t j = 0; j < inputs.count; ++j) {
            const Wide x = load<Wide>(inputs.rows[j] + k);
            float* const target = ONLY_GROUP ? inputs.rows[j] + k : &example.input_changes[j * floats + k];
            Wide updated = ONLY_GROUP ? x : load<Wide>(target);
            for (size_t i = 0; i < OUTPUT_GROUP; ++i) {
                const float gradient = gradients[j * LANES + i];
                updated += gradient * old[i];
                changed[i] += gradient * x;
            }
            store(target, updated);
        }
        for (size_t i = 0; i < OUTPUT_GROUP; ++i) store(outputs[i] + k, changed[i]);
    }
}

/// target += after - before.
template <class Wide>
NLPKIT_INLINE void add_change(const RowChange& change, float weight, size_t floats) {
    for (size_t k = 0; k < floats; k += WIDTH<Wide>) {
        const Wide difference = load<Wide>(change.after + k) - load<Wide>(change.before + k);
        store(change.target + k, load<Wide>(change.target + k) + weight * difference);
    }
}

template <class Wide>
NLPKIT_INLINE void update_all(Example& example, const Inputs& inputs) {
    if (group_count(example) == 1) return update_group<Wide, true>(example, inputs, 0);
    const size_t floats = example.row_floats;
    std::memset(example.input_changes.data(), 0, inputs.count * floats * sizeof(float));
    for (size_t group = 0; group < group_count(example); ++group) update_group<Wide, false>(example, inputs, group);
    for (size_t j = 0; j < inputs.count; ++j)
        add_change<Wide>({inputs.rows[j], &example.input_changes[j * floats], example.idle_row.data()}, 1, floats);
}

/// Writes CBOW's input to `combined`.
template <class Wide>
NLPKIT_INLINE void combine_inputs(Example& example) {
    const size_t floats = example.row_floats;
    float total = 1;
    if (example.use == InputUse::mean) {
        total = 0;
        for (size_t j = 0; j < example.input_count; ++j) total += example.input_weights[j];
    }
    for (size_t k = 0; k < floats; k += WIDTH<Wide>) {
        Wide weighted{};
        for (size_t j = 0; j < example.input_count; ++j)
            weighted += example.input_weights[j] * load<Wide>(example.inputs[j] + k);
        store(&example.combined[k], weighted / total);
    }
}

}  // namespace

Example::Example(size_t max_inputs, size_t max_outputs, size_t floats, InputUse input_use)
    : row_floats(floats),
      use(input_use),
      inputs(max_inputs),
      input_weights(max_inputs),
      outputs(max_outputs + OUTPUT_GROUP),
      labels((max_outputs / OUTPUT_GROUP + 1) * LANES),
      output_weights(labels.size()),
      gradients(labels.size() * max_inputs),
      input_changes(max_inputs * floats),
      idle_row(floats),
      combined(floats),
      combined_before(floats) {}

namespace {

template <class Wide>
NLPKIT_INLINE double train_each(Example& example, float lr) {
    const Inputs inputs{example.inputs.data(), example.input_weights.data(), example.input_count};
    const double loss = score_all<Wide>(example, inputs, lr);
    update_all<Wide>(example, inputs);
    return loss;
}

constexpr float ONCE = 1;

template <class Wide>
NLPKIT_INLINE double train_combined(Example& example, float lr) {
    float* const combined = example.combined.data();
    float* const before = example.combined_before.data();
    combine_inputs<Wide>(example);
    std::memcpy(before, combined, example.row_floats * sizeof(float));
    const Inputs inputs{&combined, &ONCE, 1};
    const double loss = score_all<Wide>(example, inputs, lr);
    update_all<Wide>(example, inputs);
    for (size_t j = 0; j < example.input_count; ++j)
        add_change<Wide>({example.inputs[j], combined, before}, example.input_weights[j], example.row_floats);
    return loss;
}

template <class Wide>
NLPKIT_INLINE double train(Example& example, float lr) {
    return example.use == InputUse::each ? train_each<Wide>(example, lr) : train_combined<Wide>(example, lr);
}

template <class Wide>
NLPKIT_INLINE double score(Example& example) {
    constexpr float NO_STEP = 0;
    if (example.use == InputUse::each)
        return score_all<Wide>(example, {example.inputs.data(), example.input_weights.data(), example.input_count},
                               NO_STEP);
    combine_inputs<Wide>(example);
    float* const combined = example.combined.data();
    return score_all<Wide>(example, {&combined, &ONCE, 1}, NO_STEP);
}

template <class Wide>
NLPKIT_INLINE void apply(const RowChange* changes, size_t count, size_t floats) {
    constexpr size_t AHEAD = 4;
    for (size_t i = 0; i < count; ++i) {
        if (i + AHEAD < count)
            for (size_t k = 0; k < floats; k += LINE_FLOATS) prefetch(changes[i + AHEAD].target + k);
        add_change<Wide>(changes[i], 1, floats);
    }
}

template <class Wide>
NLPKIT_INLINE void copy(const float* row, float* target, size_t floats) {
    for (size_t k = 0; k < floats; k += WIDTH<Wide>) {
        const Wide value = load<Wide>(row + k);
        store(target + k, value);
        store(target + floats + k, value);
    }
}

// Each entry point for the vectors of either width.
#if defined(NLPKIT_SIMD_WIDE)
#define NLPKIT_EITHER_WIDTH(result, name, function, parameters, arguments)                             \
    NLPKIT_SIMD result name##_narrow parameters { return function<Lanes> arguments; }                  \
    NLPKIT_SIMD_WIDE result name##_wide parameters { return function<Lanes16> arguments; }             \
    result name parameters { return WIDE ? name##_wide arguments : name##_narrow arguments; }
const bool WIDE = has_wide_vectors();
#else
#define NLPKIT_EITHER_WIDTH(result, name, function, parameters, arguments) \
    NLPKIT_SIMD result name parameters { return function<Lanes> arguments; }
#endif

}  // namespace

NLPKIT_EITHER_WIDTH(double, train_example, train, (Example & example, float lr), (example, lr))
NLPKIT_EITHER_WIDTH(double, score_example, score, (Example & example), (example))
NLPKIT_EITHER_WIDTH(void, apply_changes, apply, (const RowChange* changes, size_t count, size_t row_floats),
                    (changes, count, row_floats))
NLPKIT_EITHER_WIDTH(void, copy_twice, copy, (const float* row, float* target, size_t row_floats),
                    (row, target, row_floats))

}  // namespace nlpkit
