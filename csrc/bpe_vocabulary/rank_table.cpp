#include "bpe_vocabulary/rank_table.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace nlpkit {

std::string quote(std::string_view bytes) {
    std::string quoted = "b'";
    for (const char character : bytes) {
        if (character >= ' ' && character <= '~' && character != '\'' && character != '\\') {
            quoted += character;
        } else {
            char escape[5];
            std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<uint8_t>(character)));
            quoted += escape;
        }
    }
    return quoted + "'";
}

RankTable::RankTable(std::vector<RankedToken> tokens) {
    if (tokens.size() > kMaxTokens) {
        throw std::invalid_argument("the vocabulary has " + std::to_string(tokens.size()) +
                                    " tokens, more than the " + std::to_string(kMaxTokens) + " that fit");
    }
    const auto by_rank = [](const RankedToken& a, const RankedToken& b) { return a.rank < b.rank; };
    if (!std::is_sorted(tokens.begin(), tokens.end(), by_rank)) {
        std::stable_sort(tokens.begin(), tokens.end(), by_rank);
    }
    size_t total = 0;
    for (const auto& token : tokens) total += token.bytes.size();
    if (total >= UINT32_MAX) throw std::invalid_argument("the tokens are longer than 4 GiB together");
    text_.reserve(total);
    ranks_.reserve(tokens.size());
    offsets_.reserve(tokens.size() + 1);
    offsets_.push_back(0);
    for (const auto& [bytes, rank] : tokens) {
        if (bytes.empty()) throw std::invalid_argument("rank " + std::to_string(rank) + " is an empty token");
        if (!ranks_.empty() && ranks_.back() == rank) {
            const auto other = this->bytes(static_cast<TokenIndex>(ranks_.size() - 1));
            throw std::invalid_argument("rank " + std::to_string(rank) + " stands for two tokens, " +
                                        quote(other) + " and " + quote(bytes));
        }
        text_ += bytes;
        ranks_.push_back(rank);
        offsets_.push_back(static_cast<uint32_t>(text_.size()));
    }
}

RankTable::RankTable(std::string text, std::vector<uint32_t> offsets, std::vector<uint32_t> ranks)
    : text_(std::move(text)), offsets_(std::move(offsets)), ranks_(std::move(ranks)) {
    const size_t size = ranks_.size();
    if (offsets_.size() != size + 1 || size > kMaxTokens) {
        throw std::invalid_argument("there are not as many tokens as ranks, or too many");
    }
    bool ascending = offsets_.front() == 0 && offsets_.back() == text_.size();
    for (size_t token = 0; token < size; ++token) ascending &= offsets_[token] < offsets_[token + 1];
    for (size_t token = 1; token < size; ++token) ascending &= ranks_[token - 1] < ranks_[token];
    if (!ascending) throw std::invalid_argument("the tokens' places or ranks do not ascend");
}

TokenIndex RankTable::search_rank(uint32_t rank) const {
    const auto found = std::lower_bound(ranks_.begin(), ranks_.end(), rank);
    return found == ranks_.end() || *found != rank ? kNoToken : static_cast<TokenIndex>(found - ranks_.begin());
}

}  // namespace nlpkit
