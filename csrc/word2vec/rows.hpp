// Where a training step finds a row's floats: in the matrices themselves, or in a block's private copies.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/aligned.hpp"
#include "support/counter_random.hpp"
#include "word2vec/kernel.hpp"
#include "word2vec/plan.hpp"

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

/// Steps change the matrices at once: Hogwild (Niu et al. 2011), which is plain serial training on one thread.
class SharedRows {
public:
    SharedRows(const KeptTokens& kept, Matrix& inputs, Matrix& outputs) : kept_(kept), inputs_(inputs), outputs_(outputs) {}

    float* input(size_t position) { return inputs_.row(static_cast<size_t>(kept_.rows[position])); }
    float* target(uint32_t row) { return outputs_.row(row); }
    float* negative(uint32_t row) { return outputs_.row(row); }
    void prefetch_input(size_t position) { inputs_.prefetch(static_cast<size_t>(kept_.rows[position])); }
    void prefetch_target(uint32_t row) { outputs_.prefetch(row); }
    void prefetch_negative(uint32_t row) { outputs_.prefetch(row); }

private:
    const KeptTokens& kept_;
    Matrix& inputs_;
    Matrix& outputs_;
};

/// Rows fall to parts, so that several threads may add changes; all of a row's changes go by one part, in order.
constexpr size_t MATRIX_PARTS = 8;

/// Copies of some rows of a matrix, as they were and as they become.
class RowCopies {
public:
    explicit RowCopies(Matrix& matrix) : matrix_(matrix) {}

    /// Makes room for the copies of up to `most` rows, and forgets those that there are.
    void clear(size_t most);
    /// Names a row to be copied; returns the number of its copy.
    size_t name(uint32_t row);
    /// Copies all rows that were named.
    void copy();

    /// Number `i`.
    float* at(size_t i) { return values_.data() + 2 * i * matrix_.stride(); }
    /// The copy of a row that was named.
    float* of(uint32_t row) { return at(numbers_[slot_of(row)]); }

    /// Appends what is to be added to the matrix to the lists of its parts.
    void collect(std::array<std::vector<RowChange>, MATRIX_PARTS>& changes);

private:
    static constexpr uint32_t FREE = UINT32_MAX;
    /// Where a row stands in the hash table, or would.
    size_t slot_of(uint32_t row) const;

    Matrix& matrix_;
    std::vector<uint32_t> rows_;
    std::vector<uint32_t> keys_;  // an open hash table from row to number, a power of two long
    std::vector<uint32_t> numbers_;
    AlignedFloats values_{0};  // by turns a copy and the row as it was
};

/// Steps change private copies of the inputs and of the targets, which several blocks may meet, and the negatives
/// in place, which come from a slice of the noise that no other block uses at the time.
class BlockRows {
public:
    BlockRows(const KeptTokens& kept, Matrix& inputs, Matrix& outputs)
        : kept_(kept), outputs_(outputs), inputs_(inputs), targets_(outputs) {}

    /// Copies what the plan will need. No row of the matrices may change meanwhile.
    void open(const PlanSource& source, const BlockPlan& plan);
    /// Lists what is to be added to the matrices.
    void close();

    float* input(size_t position) { return inputs_.at(input_numbers_[position - first_]); }
    float* target(uint32_t row) { return targets_.of(row); }
    float* negative(uint32_t row) { return outputs_.row(row); }
    void prefetch_input(size_t) {}
    void prefetch_target(uint32_t) {}
    void prefetch_negative(uint32_t row) { outputs_.prefetch(row); }

    /// What the block adds to the rows of one part of the matrices, in order.
    const std::vector<RowChange>& changes(size_t part) const { return changes_[part]; }

private:
    const KeptTokens& kept_;
    Matrix& outputs_;
    RowCopies inputs_, targets_;
    size_t first_ = 0;
    std::vector<uint32_t> input_numbers_;  // by kept token from `first_` on
    std::array<std::vector<RowChange>, MATRIX_PARTS> changes_;
};

}  // namespace nlpkit
