#include "bpe_merging/short_piece.hpp"

#include <algorithm>
#include <bit>

#include "bpe_merging/key_lanes.hpp"

namespace nlpkit {

namespace {

constexpr size_t kMostBlocks = kShortPiece / kKeyLanes + 1;

#if defined(NLPKIT_KEY_LANES)
constexpr size_t kRegisters = 4;  // of the sixteen
constexpr KeyLanes kLaneNumbers = {0, 1, 2, 3, 4, 5, 6, 7};

/// The keys of a short piece, written and read a block at a time, in registers where they fit: reading a block
/// right after one of its keys was written alone would wait for the write, each time around.
template <size_t kBlocks>
class Keys {
   public:
    explicit NLPKIT_INLINE Keys(const uint32_t* keys) {
        for (size_t block = 0; block < kBlocks; ++block) {
            blocks_[block] = reinterpret_cast<const KeyLanes*>(keys)[block];
        }
    }

    NLPKIT_INLINE void set(uint32_t place, uint32_t key) {
        if constexpr (kBlocks <= kRegisters) {
            for (size_t block = 0; block < kBlocks; ++block) {
                const uint32_t lane = place - static_cast<uint32_t>(block * kKeyLanes);
                blocks_[block] = kLaneNumbers == lane ? KeyLanes{} + key : blocks_[block];
            }
        } else {
            KeyLanes& block = blocks_[place / kKeyLanes];
            block = kLaneNumbers == place % static_cast<uint32_t>(kKeyLanes) ? KeyLanes{} + key : block;
        }
    }

    NLPKIT_INLINE uint32_t smallest() const {
        return smallest_key<kBlocks>(blocks_);
    }

   private:
    KeyLanes blocks_[kBlocks];
};
#else
template <size_t kBlocks>
class Keys {
   public:
    explicit Keys(const uint32_t* keys) { std::copy_n(keys, kBlocks * kKeyLanes, keys_); }
    void set(uint32_t place, uint32_t key) { keys_[place] = key; }
    uint32_t smallest() const { return smallest_key<kBlocks>(keys_); }

   private:
    uint32_t keys_[kBlocks * kKeyLanes];
};
#endif

template <size_t kBlocks>
NLPKIT_INLINE void merge_all(const PairTable& pairs, const uint32_t* first_keys, TokenIndex* tokens, uint8_t* next,
                             uint8_t* previous) {
    Keys<kBlocks> keys(first_keys);
    for (uint32_t key = keys.smallest(); key < ShortPiece::kNoKey; key = keys.smallest()) {
        const uint32_t place = key & ((1u << ShortPiece::kPlaceBits) - 1);
        const TokenIndex token = key >> ShortPiece::kPlaceBits;
        const uint32_t gone = next[place];
        const uint32_t after = next[gone];
        const uint32_t before = previous[place];
        TokenIndex with_before, with_after;
        pairs.merge_both(tokens[before], token, tokens[after], with_before, with_after);
        tokens[place] = token;
        next[place] = static_cast<uint8_t>(after);
        previous[after] = static_cast<uint8_t>(place);
        keys.set(gone, ShortPiece::kNoKey);
        keys.set(place, ShortPiece::key_of(with_after, place));
        keys.set(before, ShortPiece::key_of(with_before, before));
    }
}

}  // namespace

void start_from_bytes(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view bytes,
                      ShortPiece& piece) {
    const auto* values = reinterpret_cast<const uint8_t*>(bytes.data());
    const auto size = static_cast<uint32_t>(bytes.size());
    for (uint32_t at = 0; at < size; ++at) piece.tokens[at + 1] = byte_tokens[values[at]];
    for (uint32_t at = 1; at < size; ++at) {
        piece.keys[at] = ShortPiece::key_of(pairs.merge_bytes(values[at - 1], values[at]), at);
    }
    piece.count = size;
}

NLPKIT_SIMD size_t merge_short(const PairTable& pairs, ShortPiece& piece, TokenIndex* out) {
    uint32_t* const keys = piece.keys;
    TokenIndex* const tokens = piece.tokens;
    const uint32_t count = piece.count;
    uint8_t next[kShortPiece + 2];
    uint8_t previous[kShortPiece + 2];
    for (uint32_t place = 0; place <= count; ++place) {
        next[place] = static_cast<uint8_t>(place + 1);
        previous[place + 1] = static_cast<uint8_t>(place);
    }
    tokens[0] = tokens[count + 1] = kNoToken;
    keys[0] = ShortPiece::kNoKey;
    const size_t needed = count / kKeyLanes + 1;
    const size_t blocks = needed <= 4 ? std::bit_ceil(needed) : kMostBlocks;
    for (size_t place = count; place < blocks * kKeyLanes; ++place) keys[place] = ShortPiece::kNoKey;
    if (blocks == 1) {
        merge_all<1>(pairs, keys, tokens, next, previous);
    } else if (blocks == 2) {
        merge_all<2>(pairs, keys, tokens, next, previous);
    } else if (blocks == 4) {
        merge_all<4>(pairs, keys, tokens, next, previous);
    } else {
        merge_all<kMostBlocks>(pairs, keys, tokens, next, previous);
    }
    size_t written = 0;
    for (uint32_t place = 1; place <= count; place = next[place]) out[written++] = tokens[place];
    return written;
}

}  // namespace nlpkit
