#include "bpe_merging/token_trie.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace nlpkit {

namespace {

/// The first eight bytes, such that numbers are ordered as the strings are.
uint64_t head_of(std::string_view bytes) {
    uint64_t head = 0;
    for (size_t i = 0; i < 8; ++i) head = head << 8 | (i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0u);
    return head;
}

/// The tokens in the order of their bytes.
std::vector<TokenIndex> sort_tokens(const std::vector<std::string_view>& tokens) {
    std::vector<std::pair<uint64_t, TokenIndex>> order(tokens.size());
    for (TokenIndex token = 0; token < tokens.size(); ++token) order[token] = {head_of(tokens[token]), token};
    std::sort(order.begin(), order.end(), [&tokens](const auto& a, const auto& b) {
        return a.first != b.first ? a.first < b.first : tokens[a.second] < tokens[b.second];
    });
    std::vector<TokenIndex> sorted(tokens.size());
    for (size_t i = 0; i < sorted.size(); ++i) sorted[i] = order[i].second;
    return sorted;
}

/// A set of numbers below 256.
struct Places {
    std::array<uint64_t, 4> words{};

    bool has(unsigned place) const { return words[place / 64] >> (place % 64) & 1; }
    void add(unsigned place) { words[place / 64] |= uint64_t{1} << (place % 64); }
    void remove(unsigned place) { words[place / 64] &= ~(uint64_t{1} << (place % 64)); }
    bool empty() const { return (words[0] | words[1] | words[2] | words[3]) == 0; }

    unsigned first() const {
        unsigned word = 0;
        while (words[word] == 0) ++word;
        return 64 * word + static_cast<unsigned>(std::countr_zero(words[word]));
    }

    /// The numbers n for which n ^ `by` is here.
    Places turned(unsigned by) const {
        constexpr uint64_t kHalves[6] = {0x5555555555555555u, 0x3333333333333333u, 0x0f0f0f0f0f0f0f0fu,
                                         0x00ff00ff00ff00ffu, 0x0000ffff0000ffffu, 0x00000000ffffffffu};
        Places result;
        for (unsigned word = 0; word < 4; ++word) {
            uint64_t bits = words[word];
            for (unsigned bit = 0; bit < 6; ++bit) {
                if ((by >> bit & 1) == 0) continue;
                const unsigned shift = 1u << bit;
                bits = (bits & kHalves[bit]) << shift | (bits >> shift & kHalves[bit]);
            }
            result.words[word ^ by / 64] = bits;
        }
        return result;
    }

    Places& operator&=(const Places& other) {
        for (size_t word = 0; word < 4; ++word) words[word] &= other.words[word];
        return *this;
    }
};

}  // namespace

class TokenTrie::Builder {
   public:
    Builder(const std::vector<std::string_view>& tokens, std::vector<uint64_t>& cells)
        : tokens_(tokens), sorted_(sort_tokens(tokens)), cells_(cells) {
        add_block();
        add_block();
        open_.clear();
    }

    void build() {
        std::vector<Node> nodes{{0, sorted_.size(), 0, SIZE_MAX, kNoToken}};
        while (!nodes.empty()) {
            const Node node = nodes.back();
            nodes.pop_back();
            expand(node, nodes);
        }
    }

   private:
    static constexpr size_t kOpenBlocks = 8;  // looked through for a node's children; older blocks stay as they are

    /// The tokens sorted_[first, last) have their first `depth` bytes in common, which lead to `cell`.
    struct Node {
        size_t first, last, depth, cell;
        TokenIndex longest;
    };

    void expand(Node node, std::vector<Node>& nodes) {
        if (tokens_[sorted_[node.first]].size() == node.depth) node.longest = sorted_[node.first++];
        std::vector<std::pair<unsigned, size_t>>& children = children_;  // bytes, and where their tokens begin
        children.clear();
        for (size_t i = node.first; i < node.last; ++i) {
            const auto byte = static_cast<uint8_t>(tokens_[sorted_[i]][node.depth]);
            if (children.empty() || children.back().first != byte) children.emplace_back(byte, i);
        }
        const size_t base = node.cell == SIZE_MAX ? 0 : children.empty() ? kBlock : place(children);
        if (node.cell != SIZE_MAX) {
            const uint64_t byte = cells_[node.cell] >> kIndexBits & kByteMask;
            cells_[node.cell] = static_cast<uint64_t>(base) << kBaseShift | byte << kIndexBits | node.longest;
        }
        for (size_t i = 0; i < children.size(); ++i) {
            const auto [byte, first] = children[i];
            const size_t cell = base ^ byte, last = i + 1 < children.size() ? children[i + 1].second : node.last;
            cells_[cell] = static_cast<uint64_t>(byte) << kIndexBits;
            nodes.push_back({first, last, node.depth + 1, cell, node.longest});
        }
    }

    /// A free base whose cells for these children are free.
    size_t place(const std::vector<std::pair<unsigned, size_t>>& children) {
        for (;;) {
            for (size_t i = open_.size(); i-- > 0;) {
                Open& block = open_[i];
                Places bases = block.free_bases;
                for (const auto& [byte, first] : children) bases &= block.free_cells.turned(byte);
                if (bases.empty()) continue;
                const unsigned base = bases.first();
                block.free_bases.remove(base);
                for (const auto& [byte, first] : children) block.free_cells.remove(base ^ byte);
                return block.begin + base;
            }
            add_block();
        }
    }

    void add_block() {
        if (open_.size() == kOpenBlocks) open_.erase(open_.begin());
        Places all;
        all.words.fill(UINT64_MAX);
        open_.push_back({cells_.size(), all, all});
        cells_.resize(cells_.size() + kBlock, kNoByte << kIndexBits);
    }

    struct Open {
        size_t begin;
        Places free_cells, free_bases;
    };

    const std::vector<std::string_view>& tokens_;
    const std::vector<TokenIndex> sorted_;
    std::vector<uint64_t>& cells_;
    std::vector<Open> open_;
    std::vector<std::pair<unsigned, size_t>> children_;
};

TokenTrie::TokenTrie(const std::vector<std::string_view>& tokens) {
    Builder(tokens, cells_).build();
    cells_.shrink_to_fit();
}

TokenIndex TokenTrie::longest_prefix(std::string_view token) const {
    if (token.size() == 1) return kNoToken;
    return longest(token.substr(0, token.size() - 1), 0);
}

}  // namespace nlpkit
