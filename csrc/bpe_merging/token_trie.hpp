// The longest token that a text goes on with: a trie of all tokens in a double array.
//
// A node is a number, its base; its child by a byte stands in the cell `base ^ byte`, and says that byte, so
// that one look at eight bytes of memory goes a byte further. No two nodes share a base, which is why the byte
// alone tells a node's own cells from another's (Aoe 1989, "An efficient digital search algorithm by using a
// double-array structure"; XOR in place of the sum keeps all children in one block of 256 cells).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bpe_merging/pair_table.hpp"

namespace nlpkit {

class TokenTrie {
   public:
    /// Token i is `tokens[i]`; no two are equal, and there is one of each single byte.
    explicit TokenTrie(const std::vector<std::string_view>& tokens);

    /// The longest token that `text` has at `begin`, which is below its size.
    NLPKIT_INLINE TokenIndex longest(std::string_view text, size_t begin) const {
        uint64_t cell = cells_[static_cast<uint8_t>(text[begin])];
        for (size_t at = begin + 1; at < text.size(); ++at) {
            const auto byte = static_cast<uint8_t>(text[at]);
            const uint64_t child = cells_[(cell >> kBaseShift) ^ byte];
            if ((child >> kIndexBits & kByteMask) != byte) break;
            cell = child;
        }
        return cell & kNoToken;
    }

    /// The longest token that a text of at least one byte begins with, below its whole length; kNoToken for none.
    TokenIndex longest_prefix(std::string_view token) const;

   private:
    class Builder;

    // A cell: its base, the byte it stands for (kNoByte: it is empty), and the longest token up to here.
    static constexpr unsigned kByteBits = 9;
    static constexpr uint64_t kByteMask = (uint64_t{1} << kByteBits) - 1;
    static constexpr uint64_t kNoByte = 256;
    static constexpr unsigned kBaseShift = kIndexBits + kByteBits;
    static constexpr size_t kBlock = 256;  // cells; the first block is the root's, the second stays empty

    std::vector<uint64_t> cells_;
};

}  // namespace nlpkit
