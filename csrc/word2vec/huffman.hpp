// The binary tree of hierarchical softmax: frequent words have short paths (Mikolov et al. 2013, section 2.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nlpkit {

/// One turn on the way from the root to a word.
struct PathStep {
    uint32_t node;   // the inner node's row among the outputs; the root is the last
    uint32_t right;  // 1 if the path turns right there
};

/// A Huffman tree over words, built as the 2013 C code does: from the least frequent up, an inner node before a word
/// of the same count, the second of two on the right.
class HuffmanTree {
public:
    explicit HuffmanTree(std::span<const uint64_t> counts);

    std::span<const PathStep> path(size_t row) const {
        return {steps_.data() + starts_[row], steps_.data() + starts_[row + 1]};
    }
    size_t longest_path() const { return longest_; }

private:
    std::vector<size_t> starts_;
    std::vector<PathStep> steps_;
    size_t longest_ = 0;
};

}  // namespace nlpkit
