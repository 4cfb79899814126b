#include "word2vec/rows.hpp"

#include <bit>

namespace nlpkit {

namespace {

size_t part_of(const float* row) {
    const uint64_t line = reinterpret_cast<uintptr_t>(row) / AlignedFloats::ALIGNMENT;
    return ((line * GOLDEN_GAMMA) >> 32) * MATRIX_PARTS >> 32;
}

}  // namespace

void RowCopies::clear(size_t most) {
    rows_.clear();
    const size_t slots = std::bit_ceil(2 * most);
    if (keys_.size() < slots) {
        keys_.resize(slots);
        numbers_.resize(slots);
        values_ = AlignedFloats(slots * matrix_.stride());
    }
    std::ranges::fill(keys_, FREE);
}

size_t RowCopies::slot_of(uint32_t row) const {
    const size_t mask = keys_.size() - 1;
    size_t slot = (row * GOLDEN_GAMMA >> 32) & mask;
    while (keys_[slot] != row && keys_[slot] != FREE) slot = (slot + 1) & mask;
    return slot;
}

size_t RowCopies::name(uint32_t row) {
    const size_t slot = slot_of(row);
    if (keys_[slot] == FREE) {
        keys_[slot] = row;
        numbers_[slot] = static_cast<uint32_t>(rows_.size());
        rows_.push_back(row);
    }
    return numbers_[slot];
}

void RowCopies::copy() {
    constexpr size_t AHEAD = 4;
    for (size_t i = 0; i < rows_.size(); ++i) {
        if (i + AHEAD < rows_.size()) matrix_.prefetch(rows_[i + AHEAD]);
        copy_twice(matrix_.row(rows_[i]), at(i), matrix_.stride());
    }
}

void RowCopies::collect(std::array<std::vector<RowChange>, MATRIX_PARTS>& changes) {
    for (size_t i = 0; i < rows_.size(); ++i) {
        float* const row = matrix_.row(rows_[i]);
        changes[part_of(row)].push_back({row, at(i), at(i) + matrix_.stride()});
    }
}

void BlockRows::open(const PlanSource& source, const BlockPlan& plan) {
    if (plan.centres.empty()) {
        inputs_.clear(1);
        targets_.clear(1);
        return;
    }
    size_t last = 0;
    first_ = kept_.rows.size();
    for (const PlannedCentre& planned : plan.centres) {
        first_ = std::min(first_, planned.first);
        last = std::max(last, planned.last);
    }
    inputs_.clear(last - first_);
    input_numbers_.resize(last - first_);
    for (size_t i = first_; i < last; ++i)
        if (kept_.rows[i] != DOCUMENT_START)
            input_numbers_[i - first_] = static_cast<uint32_t>(inputs_.name(static_cast<uint32_t>(kept_.rows[i])));
    inputs_.copy();
    const bool tree = source.options.hierarchical();
    targets_.clear(plan.centres.size() * (tree ? source.tree->longest_path() : 1));
    for (const PlannedCentre& planned : plan.centres) {
        if (tree)
            for (const PathStep& step : source.path(planned.centre)) targets_.name(step.node);
        else
            targets_.name(static_cast<uint32_t>(kept_.rows[planned.centre]));
    }
    targets_.copy();
}

void BlockRows::close() {
    for (auto& part : changes_) part.clear();
    inputs_.collect(changes_);
    targets_.collect(changes_);
}

}  // namespace nlpkit
