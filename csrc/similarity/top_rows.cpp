#include "similarity/top_rows.hpp"

#include <algorithm>

#include "support/cpu.hpp"
#include "support/job.hpp"

namespace nlpkit {

namespace {

constexpr size_t STRIP = 64;  // scores looked at as one: most strips hold nothing that is good enough
constexpr size_t SCORES_A_TASK = size_t{1} << 16;

bool better(const ScoredRow& a, const ScoredRow& b) { return a.better_than(b); }

/// Whether any of STRIP scores, times its factor, is above `least`.
NLPKIT_SIMD bool any_above(const float* scores, const float* factors, float least) {
    int found = 0;
    for (size_t i = 0; i < STRIP; ++i) found |= scores[i] * factors[i] > least;
    return found != 0;
}

}  // namespace

TopRows::TopRows(size_t queries, size_t most) : most_(most), heaps_(queries) {}

void TopRows::add(const float* scores, const float* norms, size_t rows, uint32_t first_row, unsigned threads) {
    if (most_ == 0) return;
    factors_.resize(rows);
    for (size_t i = 0; i < rows; ++i) factors_[i] = norms[i] > 0 ? 1 / norms[i] : 0.0F;
    const size_t queries_a_task = std::max<size_t>(1, SCORES_A_TASK / std::max<size_t>(1, rows));
    const size_t tasks = (heaps_.size() + queries_a_task - 1) / queries_a_task;
    parallel_for(tasks, threads, [&](size_t task) {
        const size_t end = std::min(heaps_.size(), (task + 1) * queries_a_task);
        for (size_t query = task * queries_a_task; query < end; ++query)
            scan(query, scores + query * rows, rows, first_row);
    });
}

void TopRows::scan(size_t query, const float* scores, size_t rows, uint32_t first_row) {
    std::vector<ScoredRow>& heap = heaps_[query];
    size_t i = 0;
    while (i < rows) {
        const size_t end = std::min(rows, i + STRIP);
        if (heap.size() == most_ && end - i == STRIP &&
            !any_above(scores + i, factors_.data() + i, heap.front().score)) {
            i = end;
            continue;
        }
        for (; i < end; ++i) keep(heap, {scores[i] * factors_[i], first_row + static_cast<uint32_t>(i)});
    }
}

void TopRows::keep(std::vector<ScoredRow>& heap, ScoredRow candidate) {
    if (candidate.score != candidate.score) return;
    if (heap.size() < most_) {
        heap.push_back(candidate);
        std::push_heap(heap.begin(), heap.end(), better);
    } else if (candidate.better_than(heap.front())) {
        std::pop_heap(heap.begin(), heap.end(), better);
        heap.back() = candidate;
        std::push_heap(heap.begin(), heap.end(), better);
    }
}

std::vector<ScoredRow> TopRows::sorted(size_t query) const {
    std::vector<ScoredRow> rows = heaps_[query];
    std::sort(rows.begin(), rows.end(), better);
    return rows;
}

}  // namespace nlpkit
