// The tokens of a byte-level BPE vocabulary in the order of their ranks, and their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_merging/pair_table.hpp"

namespace nlpkit {

/// One line of a rank table: the rank is the merge priority and the id at once.
struct RankedToken {
    std::string_view bytes;
    uint32_t rank;
};

/// Bytes as Python would print them, for messages.
std::string quote(std::string_view bytes);

/// Ranks may have gaps. Token i is the one with the i-th smallest rank.
class RankTable {
   public:
    /// `tokens` in any order. Throws std::invalid_argument, with a sentence, for an empty token, a rank that
    /// comes twice, more than kMaxTokens tokens, or 4 GiB of them.
    explicit RankTable(std::vector<RankedToken> tokens);

    /// The tokens' bytes end to end, where those of each begin and the last ones end, and the ranks. Throws where
    /// these do not fit together.
    RankTable(std::string text, std::vector<uint32_t> offsets, std::vector<uint32_t> ranks);

    const std::string& text() const { return text_; }
    const std::vector<uint32_t>& offsets() const { return offsets_; }
    const std::vector<uint32_t>& ranks() const { return ranks_; }

    size_t size() const { return ranks_.size(); }

    NLPKIT_INLINE uint32_t rank(TokenIndex token) const { return ranks_[token]; }

    NLPKIT_INLINE std::string_view bytes(TokenIndex token) const {
        return std::string_view(text_.data() + offsets_[token], offsets_[token + 1] - offsets_[token]);
    }

    /// Whether the ranks are 0, 1, 2, ...
    bool gapless() const { return ranks_.empty() || ranks_.back() + 1 == ranks_.size(); }

    /// The token with that rank, or kNoToken.
    NLPKIT_INLINE TokenIndex find_rank(uint32_t rank) const {
        // up to the first gap a rank is its own place
        return rank < ranks_.size() && ranks_[rank] == rank ? rank : search_rank(rank);
    }

   private:
    TokenIndex search_rank(uint32_t rank) const;

    std::string text_;               // the tokens' bytes end to end
    std::vector<uint32_t> offsets_;  // token i is text_[offsets_[i], offsets_[i + 1])
    std::vector<uint32_t> ranks_;    // ascending
};

}  // namespace nlpkit
