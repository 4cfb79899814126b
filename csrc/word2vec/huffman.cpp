#include "word2vec/huffman.hpp"

#include <algorithm>
#include <numeric>

namespace nlpkit {

namespace {

/// Every node's parent, and on which side of it the node hangs. Node i is the i-th most frequent word, or an inner
/// node in the order of joining for i >= words; the root is the last.
struct Joined {
    std::vector<uint32_t> parent;
    std::vector<uint8_t> right;
};

Joined join(const std::vector<uint64_t>& falling) {
    const size_t words = falling.size(), nodes = 2 * words - 1;
    std::vector<uint64_t> counts = falling;
    counts.resize(nodes);
    Joined joined{std::vector<uint32_t>(nodes), std::vector<uint8_t>(nodes)};
    size_t word = words, inner = words;  // the next word is word - 1; both queues rise in count
    for (size_t node = words; node < nodes; ++node) {
        for (const bool right : {false, true}) {
            const bool take_word = word > 0 && (inner == node || counts[word - 1] < counts[inner]);
            const size_t child = take_word ? --word : inner++;
            counts[node] += counts[child];
            joined.parent[child] = static_cast<uint32_t>(node);
            joined.right[child] = right;
        }
    }
    return joined;
}

}  // namespace

HuffmanTree::HuffmanTree(std::span<const uint64_t> counts) : starts_{0} {
    const size_t words = counts.size();
    std::vector<uint32_t> order(words);  // rows by falling count
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return counts[a] > counts[b]; });
    std::vector<uint64_t> falling(words);
    std::vector<uint32_t> place(words);
    for (size_t i = 0; i < words; ++i) {
        falling[i] = counts[order[i]];
        place[order[i]] = static_cast<uint32_t>(i);
    }
    const Joined joined = join(falling);
    const size_t root = 2 * words - 2;
    for (size_t row = 0; row < words; ++row) {
        const size_t start = steps_.size();
        for (size_t node = place[row]; node != root; node = joined.parent[node])
            steps_.push_back({joined.parent[node] - static_cast<uint32_t>(words), joined.right[node]});
        std::reverse(steps_.begin() + static_cast<std::ptrdiff_t>(start), steps_.end());
        longest_ = std::max(longest_, steps_.size() - start);
        starts_.push_back(steps_.size());
    }
}

}  // namespace nlpkit
