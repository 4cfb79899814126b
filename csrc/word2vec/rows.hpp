// Where a training step finds a row's floats: in the matrices themselves, or in a block's private copies.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/aligned.hpp"
#include "support/counter_random.hpp"
#include "word2vec/corpus.hpp"
#include "word2vec/kernel.hpp"

namespace nlpkit {

/// One float matrix whose rows start on cache lines and are zero past `dim`.
class Matrix {
public:
    Matrix(size_t rows, size_t dim)
        : rows_(rows), dim_(dim), stride_((dim + ROW_FLOATS - 1) / ROW_FLOATS * ROW_FLOATS), values_(rows * stride_) {}

    float* row(size_t i) { return values_.data() + i * stride_; }
    size_t rows() const { return rows_; }
    size_t dim() const { return dim_; }
    size_t stride() const { return stride_; }

    /// Asks for a row's cache lines ahead of their use.
    void prefetch(size_t i) {
#if defined(__GNUC__)
        for (size_t k = 0; k < dim_; k += AlignedFloats::ALIGNMENT / sizeof(float)) __builtin_prefetch(row(i) + k, 1);
#else
        (void)i;
#endif
    }

private:
    static constexpr size_t ROW_FLOATS = AlignedFloats::ALIGNMENT / sizeof(float);
    size_t rows_, dim_, stride_;
    AlignedFloats values_;
};

/// Steps change the matrices at once: serial training, and Hogwild (Niu et al. 2011) with several threads.
class SharedRows {
public:
    SharedRows(const KeptTokens& kept, Matrix& inputs, Matrix& outputs) : kept_(kept), inputs_(inputs), outputs_(outputs) {}

    Matrix& inputs() { return inputs_; }
    Matrix& outputs() { return outputs_; }
    float* input(size_t position) { return inputs_.row(static_cast<size_t>(kept_.rows[position])); }
    void before_step(Example& example, size_t) { example.changes = OutputChanges::in_place; }
    void after_step(const Example&) {}

private:
    const KeptTokens& kept_;
    Matrix& inputs_;
    Matrix& outputs_;
};

/// Rows fall to parts, so that several threads may add changes; all of a row's changes go by one part, in order.
constexpr size_t MATRIX_PARTS = 8;

/// Steps change copies of the inputs that are private to a block, and note the changes of the outputs. All of it is
/// added to the matrices when the round ends.
class BlockRows {
public:
    /// For blocks of `most_tokens` kept tokens, windows included, that note `most_notes` rows.
    BlockRows(const KeptTokens& kept, Matrix& inputs, Matrix& outputs, size_t most_tokens, size_t most_notes)
        : kept_(kept),
          inputs_(inputs),
          outputs_(outputs),
          copy_of_token_(most_tokens),
          copies_(most_tokens * inputs.stride()),
          notes_(most_notes * inputs.stride()) {
        copied_.reserve(most_tokens);
    }

    Matrix& inputs() { return inputs_; }
    Matrix& outputs() { return outputs_; }

    /// A new block that may use the kept tokens `first` to `last`.
    void start(size_t first, size_t last) {
        first_ = first;
        std::fill_n(copy_of_token_.begin(), last - first, nullptr);
        copied_.clear();
        for (auto& part : changes_) part.clear();
        noted_ = 0;
    }

    float* input(size_t position) {
        float*& copy = copy_of_token_[position - first_];
        if (copy == nullptr) copy = copy_of(static_cast<uint32_t>(kept_.rows[position]));
        return copy;
    }

    /// `inputs`: of the step, 1 for CBOW's mean.
    void before_step(Example& example, size_t inputs) {
        if (inputs == 1) {
            example.changes = OutputChanges::as_factors;
            example.input_before = note();
            return;
        }
        example.changes = OutputChanges::apart;
        for (size_t i = 0; i < example.output_count; ++i) {
            example.output_changes[i] = note();
            add({example.outputs[i], example.output_changes[i], 1});
        }
    }

    void after_step(const Example& example) {
        if (example.changes != OutputChanges::as_factors) return;
        for (size_t i = 0; i < example.output_count; ++i)
            add({example.outputs[i], example.input_before, example.factor(i)});
    }

    /// Turns the copies into what is to be added to their rows.
    void finish() {
        std::vector<RowChange> differences;
        for (size_t i = 0; i < copied_.size(); ++i) {
            float* const copy = copies_.data() + i * inputs_.stride();
            differences.push_back({copy, inputs_.row(copied_[i]), -1});
            add({inputs_.row(copied_[i]), copy, 1});
        }
        apply_changes(differences.data(), differences.size(), inputs_.stride());
    }

    /// What the block adds to the rows of one part of the matrices, in order.
    const std::vector<RowChange>& changes(size_t part) const { return changes_[part]; }

private:
    float* copy_of(uint32_t row) {
        const auto found = std::find(copied_.begin(), copied_.end(), row);
        float* const copy = copies_.data() + static_cast<size_t>(found - copied_.begin()) * inputs_.stride();
        if (found != copied_.end()) return copy;
        copied_.push_back(row);
        std::memcpy(copy, inputs_.row(row), inputs_.stride() * sizeof(float));
        return copy;
    }

    void add(const RowChange& change) { changes_[part_of(change.target)].push_back(change); }

    static size_t part_of(const float* row) {
        const uint64_t line = reinterpret_cast<uintptr_t>(row) / AlignedFloats::ALIGNMENT;
        return ((line * GOLDEN_GAMMA) >> 32) * MATRIX_PARTS >> 32;
    }

    float* note() { return notes_.data() + noted_++ * outputs_.stride(); }

    const KeptTokens& kept_;
    Matrix& inputs_;
    Matrix& outputs_;
    size_t first_ = 0;
    std::vector<float*> copy_of_token_;
    std::vector<uint32_t> copied_;
    AlignedFloats copies_;
    AlignedFloats notes_;
    size_t noted_ = 0;
    std::array<std::vector<RowChange>, MATRIX_PARTS> changes_;
};

}  // namespace nlpkit
