// Merging of many short pieces side by side.
//
// Each merge of a piece waits for the look-ups of the one before it. With several pieces under way, a merge of
// each in turn, the processor does the others' work meanwhile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bpe_merging/merge_table.hpp"
#include "bpe_merging/short_piece.hpp"

namespace nlpkit {

/// A piece to merge, where its tokens go, and how many there are then.
struct MergedPiece {
    std::string_view piece;
    TokenIndex* tokens;  // room for one a byte of the piece
    size_t count;
};

/// A few pieces under way. After `finish` all that were added are merged.
template <size_t kPlaces>
class MergeLanes {
   public:
    explicit MergeLanes(const MergeTable& pairs) : pairs_(pairs) {
        for (size_t i = 0; i < kLanes; ++i) order_[i] = i;
    }

    static constexpr size_t kMostBytes = kPlaces - 2;

    /// Begins to merge a piece of at most kMostBytes bytes; it must live until `finish`.
    void add(const PairTable& pairs, const ByteTokens& byte_tokens, MergedPiece& piece);

    /// Merges what is still under way.
    void finish() { merge_until(0); }

   private:
    static constexpr size_t kLanes = 4;

    /// As in a ShortPiece.
    struct Lane {
        alignas(64) uint32_t keys[kPlaces];
        TokenIndex tokens[kPlaces];
        uint64_t standing;  // bit i: a token stands at place i, also beyond either end
        MergedPiece* piece;
    };

    static void start(Lane& lane, const PairTable& pairs, const ByteTokens& byte_tokens);
    void merge_until(size_t under_way);
    bool merge_once(Lane& lane) const;
    static void write_out(const Lane& lane);

    const MergeTable& pairs_;
    std::array<Lane, kLanes> lanes_;
    std::array<size_t, kLanes> order_;  // of lanes; the first `under_way_` are at work
    size_t under_way_ = 0;
};

}  // namespace nlpkit
