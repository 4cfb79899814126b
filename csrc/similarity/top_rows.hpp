// The best rows of each of several queries, found while scores come in block by block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nlpkit {

/// A row and its score. Of equal scores the earlier row is the better one.
struct ScoredRow {
    float score;
    uint32_t row;
    bool better_than(const ScoredRow& other) const {
        return score > other.score || (score == other.score && row < other.row);
    }
};

class TopRows {
public:
    /// Keeps the best `most` rows of each query.
    TopRows(size_t queries, size_t most);

    /// The scores of the rows `first_row` and on, (queries, rows) row by row, each divided by its row's norm; a norm
    /// of 0 makes the score 0. Blocks come in the order of their rows. Scores that are no numbers are never kept.
    void add(const float* scores, const float* norms, size_t rows, uint32_t first_row, unsigned threads);

    /// What was kept of a query, the best first.
    std::vector<ScoredRow> sorted(size_t query) const;

    size_t queries() const { return heaps_.size(); }
    size_t most() const { return most_; }

private:
    void scan(size_t query, const float* scores, size_t rows, uint32_t first_row);
    void keep(std::vector<ScoredRow>& heap, ScoredRow candidate);

    size_t most_;
    std::vector<std::vector<ScoredRow>> heaps_;  // the worst of each on top
    std::vector<float> factors_;
};

}  // namespace nlpkit
