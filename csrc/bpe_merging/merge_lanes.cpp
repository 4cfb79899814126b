#include "bpe_merging/merge_lanes.hpp"

#include <bit>
#include <cstring>
#include <utility>

#include "bpe_merging/key_lanes.hpp"
#include "support/cpu.hpp"

namespace nlpkit {

/// Puts the single bytes of a piece in a lane.
template <size_t kPlaces>
NLPKIT_INLINE void MergeLanes<kPlaces>::start(Lane& lane, const PairTable& pairs, const ByteTokens& byte_tokens) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(lane.piece->piece.data());
    const size_t size = lane.piece->piece.size();
    uint8_t padded[kPlaces] = {};
    std::memcpy(padded, bytes, size);
    lane.tokens[0] = kNoToken;
    lane.keys[0] = ShortPiece::kNoKey;
    for (uint32_t at = 0; at + 1 < kPlaces; ++at) lane.tokens[at + 1] = byte_tokens[padded[at]];
    for (uint32_t at = 1; at < kPlaces; ++at) {
        lane.keys[at] = ShortPiece::key_of(pairs.merge_bytes(padded[at - 1], padded[at]), at);
    }
    for (uint32_t at = 0; at < kPlaces; ++at) lane.keys[at] |= at >= size ? ShortPiece::kNoKey : 0;
    lane.tokens[size + 1] = kNoToken;
    lane.standing = (uint64_t{4} << size) - 1;
}

template <size_t kPlaces>
NLPKIT_SIMD void MergeLanes<kPlaces>::add(const PairTable& pairs, const ByteTokens& byte_tokens, MergedPiece& piece) {
    Lane& lane = lanes_[order_[under_way_]];
    lane.piece = &piece;
    start(lane, pairs, byte_tokens);
    if (++under_way_ == kLanes) merge_until(kLanes - 1);
}

/// One merge; false if no pair of the piece makes a token any more.
template <size_t kPlaces>
NLPKIT_INLINE bool MergeLanes<kPlaces>::merge_once(Lane& lane) const {
    const uint32_t key = smallest_key<kPlaces / kKeyLanes>(lane.keys);
    if (key >= ShortPiece::kNoKey) return false;
    const uint32_t place = key & ((1u << ShortPiece::kPlaceBits) - 1);
    const TokenIndex token = key >> ShortPiece::kPlaceBits;
    const uint64_t behind = lane.standing & (~uint64_t{1} << place);
    const uint64_t gone = behind & (0 - behind);
    const int after = std::countr_zero(behind ^ gone);
    const uint32_t before = 63 - static_cast<uint32_t>(std::countl_zero(lane.standing & ((uint64_t{1} << place) - 1)));
    lane.standing ^= gone;
    lane.tokens[place] = token;
    lane.keys[std::countr_zero(gone)] = ShortPiece::kNoKey;
    lane.keys[place] = ShortPiece::key_of(pairs_.merge(token, lane.tokens[after]), place);
    lane.keys[before] = ShortPiece::key_of(pairs_.merge(lane.tokens[before], token), before);
    return true;
}

template <size_t kPlaces>
NLPKIT_INLINE void MergeLanes<kPlaces>::write_out(const Lane& lane) {
    const uint64_t beyond = uint64_t{2} << lane.piece->piece.size() | 1;
    TokenIndex* to = lane.piece->tokens;
    for (uint64_t left = lane.standing ^ beyond; left != 0; left &= left - 1) {
        *to++ = lane.tokens[std::countr_zero(left)];
    }
    lane.piece->count = static_cast<size_t>(to - lane.piece->tokens);
}

/// Merges until at most `under_way` pieces are.
template <size_t kPlaces>
NLPKIT_SIMD void MergeLanes<kPlaces>::merge_until(size_t under_way) {
    while (under_way_ > under_way) {
        for (size_t turn = 0; turn < under_way_;) {
            Lane& lane = lanes_[order_[turn]];
            if (merge_once(lane)) {
                ++turn;
                continue;
            }
            write_out(lane);
            std::swap(order_[turn], order_[--under_way_]);
        }
    }
}

template class MergeLanes<16>;
template class MergeLanes<32>;
template class MergeLanes<64>;

}  // namespace nlpkit
