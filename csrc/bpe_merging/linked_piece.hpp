// A piece of any length while it is merged: its tokens in a list, and the merges that are possible in a heap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "bpe_merging/pair_table.hpp"
#include "bpe_merging/short_piece.hpp"

namespace nlpkit {

/// Keep one a thread, and its memory is reused.
class LinkedPiece {
   public:
    /// The merge of the token at a place with the next one.
    struct Merge {
        TokenIndex merged;
        uint32_t at;
    };

    /// Begins anew with the single bytes of a piece below 2^32 bytes; the tables must live as long as it is merged.
    void start(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view piece);

    /// Takes out the possible merge of the smallest rank, the leftmost of equals.
    NLPKIT_INLINE std::optional<Merge> take_first() {
        while (!heap_.empty()) {
            std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
            const Merge merge{static_cast<TokenIndex>(heap_.back() >> 32), static_cast<uint32_t>(heap_.back())};
            heap_.pop_back();
            if (merged_[merge.at] == merge.merged) return merge;  // else the pair has changed since
        }
        return std::nullopt;
    }

    /// Puts back what was taken out and not made, though others may have been.
    void put_back(Merge merge) { push(merge); }

    /// Makes a merge that was taken out. Spans only grow, so one that is possible is in the heap once.
    NLPKIT_INLINE void make(Merge merge) {
        const auto [token, at] = merge;
        const uint32_t gone = next_[at];
        const uint32_t right = next_[gone];
        tokens_[at] = token;
        next_[at] = right;
        merged_[gone] = kNoToken;
        merged_[at] = kNoToken;
        if (right < tokens_.size()) {
            previous_[right] = at;
            offer({pairs_->merge(token, tokens_[right]), at});
        }
        if (at > 0) offer({pairs_->merge(tokens_[previous_[at]], token), previous_[at]});
    }

    /// Writes the tokens to `out`, which has room for one a byte; returns how many.
    size_t write(TokenIndex* out) const;

    /// Gives memory back after a piece of unusual length.
    void trim();

   private:
    static uint64_t entry_of(Merge merge) { return static_cast<uint64_t>(merge.merged) << 32 | merge.at; }

    void push(Merge merge) {
        heap_.push_back(entry_of(merge));
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }

    void offer(Merge merge) {
        merged_[merge.at] = merge.merged;
        if (merge.merged != kNoToken) push(merge);
    }

    const PairTable* pairs_ = nullptr;
    std::vector<TokenIndex> tokens_;  // by the place of their first byte
    std::vector<TokenIndex> merged_;  // of the pair that begins here
    std::vector<uint32_t> next_;
    std::vector<uint32_t> previous_;
    std::vector<uint64_t> heap_;  // of entry_of
};

}  // namespace nlpkit
