#include "word2vec/noise.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nlpkit {

namespace {

constexpr double POWER = 0.75;
constexpr double UNEVENNESS = 1.01;     // the greatest slice by the least
constexpr size_t LEAST_SLICE_ROWS = 128;  // so that negatives of one centre are seldom the same

struct RowSet {
    std::vector<uint32_t> rows;
    std::vector<double> weights;
    double total = 0;
};

/// Each row, by falling weight, to the set that is lightest yet.
std::vector<RowSet> deal(const std::vector<double>& weights, size_t count) {
    std::vector<uint32_t> order(weights.size());
    std::iota(order.begin(), order.end(), 0u);
    if (count > 1) std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return weights[a] > weights[b]; });
    std::vector<RowSet> sets(count);
    for (const uint32_t row : order) {
        RowSet& lightest = *std::ranges::min_element(sets, {}, &RowSet::total);
        lightest.rows.push_back(row);
        lightest.weights.push_back(weights[row]);
        lightest.total += weights[row];
    }
    return sets;
}

bool even(const std::vector<RowSet>& sets) {
    const auto [least, greatest] = std::ranges::minmax_element(sets, {}, &RowSet::total);
    return greatest->total <= UNEVENNESS * least->total;
}

}  // namespace

Noise::Noise(std::span<const uint64_t> counts, size_t most_slices) {
    std::vector<double> weights;
    for (const uint64_t count : counts) weights.push_back(std::pow(static_cast<double>(count), POWER));
    size_t count = std::clamp<size_t>(counts.size() / LEAST_SLICE_ROWS, 1, most_slices);
    std::vector<RowSet> sets = deal(weights, count);
    while (!even(sets)) sets = deal(weights, --count);
    for (RowSet& set : sets) slices_.push_back({std::move(set.rows), AliasTable(set.weights)});
}

}  // namespace nlpkit
