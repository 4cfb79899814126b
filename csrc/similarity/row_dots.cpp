#include "similarity/row_dots.hpp"

#include <algorithm>
#include <cstring>

#include "support/cpu.hpp"
#include "support/job.hpp"

namespace nlpkit {

namespace {

constexpr size_t AHEAD = 16384;                        // bytes: far enough for memory to answer in time
constexpr size_t LINE = 64;                           // bytes
constexpr size_t NUMBERS_A_TASK = size_t{1} << 19;    // some 50 us of reading

struct Lanes8 {
    static constexpr size_t COUNT = 8;
    using Floats = float __attribute__((vector_size(32)));
    using Words = int32_t __attribute__((vector_size(32)));
    using Halves = int16_t __attribute__((vector_size(16)));
};

struct Lanes16 {
    static constexpr size_t COUNT = 16;
    using Floats = float __attribute__((vector_size(64)));
    using Words = int32_t __attribute__((vector_size(64)));
    using Halves = int16_t __attribute__((vector_size(32)));
};

template <class L>
NLPKIT_INLINE typename L::Floats load(const float* from) {
    typename L::Floats numbers;
    std::memcpy(&numbers, from, sizeof numbers);
    return numbers;
}

/// Sign, exponent and fraction are shifted into place at once, and 2^112 makes up for the exponent's bias: exact for
/// normal and subnormal halves.
template <class L>
NLPKIT_INLINE typename L::Floats load(const uint16_t* from) {
    typename L::Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    const typename L::Words words =
        (__builtin_convertvector(halves, typename L::Words) << 13) & static_cast<int32_t>(0x8fffe000);
    typename L::Floats numbers;
    std::memcpy(&numbers, &words, sizeof numbers);
    return numbers * 0x1p112f;
}

/// Fewer numbers than lanes, then zeros.
template <class L, class Number>
NLPKIT_INLINE typename L::Floats load_tail(const Number* from, size_t count) {
    Number padded[L::COUNT] = {};
    for (size_t i = 0; i < count; ++i) padded[i] = from[i];
    return load<L>(padded);
}

template <class L>
NLPKIT_INLINE float sum(const typename L::Floats& numbers) {
    float lanes[L::COUNT];
    std::memcpy(lanes, &numbers, sizeof lanes);
    for (size_t half = L::COUNT / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
}

/// One row: four sums hide the additions' latency.
template <class L, class Number>
NLPKIT_INLINE float dot_row(const Number* row, const float* query, size_t dim) {
    typename L::Floats sums[4] = {};
    size_t k = 0;
    for (; k + 4 * L::COUNT <= dim; k += 4 * L::COUNT)
        for (size_t i = 0; i < 4; ++i) sums[i] += load<L>(row + k + i * L::COUNT) * load<L>(query + k + i * L::COUNT);
    for (; k + L::COUNT <= dim; k += L::COUNT) sums[0] += load<L>(row + k) * load<L>(query + k);
    if (k < dim) sums[1] += load_tail<L>(row + k, dim - k) * load_tail<L>(query + k, dim - k);
    return sum<L>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class L, class Number>
NLPKIT_INLINE void dot_range(const RowTable& table, const float* query, float* dots, size_t begin, size_t end) {
    const Number* const data = static_cast<const Number*>(table.data);
    for (size_t row = begin; row < end; ++row) {
        const Number* const here = data + row * table.stride;
        for (size_t k = 0; k < table.dim; k += LINE / sizeof(Number)) prefetch(here + AHEAD / sizeof(Number) + k);
        dots[row] = dot_row<L>(here, query, table.dim);
    }
}

template <class L>
NLPKIT_INLINE void dot_either(const RowTable& table, const float* query, float* dots, size_t begin, size_t end) {
    if (table.half)
        dot_range<L, uint16_t>(table, query, dots, begin, end);
    else
        dot_range<L, float>(table, query, dots, begin, end);
}

NLPKIT_SIMD void dot_part(const RowTable& table, const float* query, float* dots, size_t begin, size_t end) {
    dot_either<Lanes8>(table, query, dots, begin, end);
}

#if defined(NLPKIT_SIMD_WIDE)
NLPKIT_SIMD_WIDE void dot_part_wide(const RowTable& table, const float* query, float* dots, size_t begin, size_t end) {
    dot_either<Lanes16>(table, query, dots, begin, end);
}
#else
constexpr auto dot_part_wide = dot_part;
#endif

}  // namespace

void row_dots(const RowTable& table, const float* query, float* dots, unsigned threads) {
    const size_t rows_a_task = std::max<size_t>(1, NUMBERS_A_TASK / std::max<size_t>(1, table.dim));
    const size_t tasks = (table.rows + rows_a_task - 1) / rows_a_task;
    const auto part = has_wide_vectors() ? dot_part_wide : dot_part;
    parallel_for(tasks, threads, [&](size_t task) {
        const size_t begin = task * rows_a_task;
        part(table, query, dots, begin, std::min(table.rows, begin + rows_a_task));
    });
}

}  // namespace nlpkit
