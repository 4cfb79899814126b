#include "bpe_merge.hpp"

#include <algorithm>
#include <functional>

namespace nlpkit {

namespace {

constexpr unsigned kPositionBits = 7;
static_assert(size_t{1} << kPositionBits == kShortPiece);
static_assert(kIndexBits + kPositionBits < 32);

constexpr uint32_t kNoKey = UINT32_MAX;
constexpr size_t kLanes = 8;

#if defined(__GNUC__)
using Lanes = uint32_t __attribute__((vector_size(kLanes * sizeof(uint32_t)), may_alias));

NLPKIT_INLINE uint32_t smallest(const uint32_t* keys, size_t blocks) {
    const auto* vectors = reinterpret_cast<const Lanes*>(keys);
    Lanes best = vectors[0];
    for (size_t block = 1; block < blocks; ++block) best = vectors[block] < best ? vectors[block] : best;
    uint32_t lanes[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = best[lane];
    for (size_t width = kLanes / 2; width > 0; width /= 2) {
        for (size_t lane = 0; lane < width; ++lane) lanes[lane] = std::min(lanes[lane], lanes[lane + width]);
    }
    return lanes[0];
}
#else
inline uint32_t smallest(const uint32_t* keys, size_t blocks) {
    return *std::min_element(keys, keys + blocks * kLanes);
}
#endif

// Merged token and position in one number, so that the minimum is the pair to merge, leftmost first.
NLPKIT_INLINE uint32_t key_of(TokenIndex merged, uint32_t position) {
    return merged == kNoToken ? kNoKey : merged << kPositionBits | position;
}

NLPKIT_SIMD size_t merge_short(const PairTable& pairs, const TokenIndex* byte_tokens, const uint8_t* bytes,
                               uint32_t size, TokenIndex* out) {
    alignas(64) uint32_t keys[kShortPiece];
    TokenIndex tokens[kShortPiece + 1];
    uint8_t next[kShortPiece + 1];
    uint8_t previous[kShortPiece + 1];
    const size_t blocks = (size + kLanes - 1) / kLanes;
    for (uint32_t at = 0; at < size; ++at) {
        tokens[at] = byte_tokens[bytes[at]];
        next[at] = static_cast<uint8_t>(at + 1);
        previous[at + 1] = static_cast<uint8_t>(at);
    }
    for (uint32_t at = 0; at + 1 < size; ++at) keys[at] = key_of(pairs.merge_bytes(bytes[at], bytes[at + 1]), at);
    for (size_t at = size - 1; at < blocks * kLanes; ++at) keys[at] = kNoKey;

    for (uint32_t key = smallest(keys, blocks); key != kNoKey; key = smallest(keys, blocks)) {
        const uint32_t at = key & (kShortPiece - 1);
        const TokenIndex token = key >> kPositionBits;
        const uint32_t gone = next[at];
        const uint32_t right = next[gone];
        tokens[at] = token;
        next[at] = static_cast<uint8_t>(right);
        previous[right] = static_cast<uint8_t>(at);
        keys[gone] = kNoKey;
        keys[at] = right < size ? key_of(pairs.merge(token, tokens[right]), at) : kNoKey;
        if (at > 0) {
            const uint32_t left = previous[at];
            keys[left] = key_of(pairs.merge(tokens[left], token), left);
        }
    }
    size_t count = 0;
    for (uint32_t at = 0; at < size; at = next[at]) out[count++] = tokens[at];
    return count;
}

size_t merge_long(const PairTable& pairs, const TokenIndex* byte_tokens, const uint8_t* bytes, uint32_t size,
                  MergeScratch& s, TokenIndex* out) {
    s.tokens.resize(size);
    s.next.resize(size);
    s.previous.resize(size);
    s.merged.assign(size, kNoToken);
    s.heap.clear();
    const auto offer = [&s](uint32_t at, TokenIndex merged) {
        s.merged[at] = merged;
        if (merged == kNoToken) return;
        s.heap.push_back(static_cast<uint64_t>(merged) << 32 | at);
        std::push_heap(s.heap.begin(), s.heap.end(), std::greater<>());
    };
    for (uint32_t at = 0; at < size; ++at) {
        s.tokens[at] = byte_tokens[bytes[at]];
        s.next[at] = at + 1;
        s.previous[at] = at - 1;  // of the first one: never read
        if (at + 1 == size) break;
        s.merged[at] = pairs.merge_bytes(bytes[at], bytes[at + 1]);
        if (s.merged[at] != kNoToken) s.heap.push_back(static_cast<uint64_t>(s.merged[at]) << 32 | at);
    }
    std::make_heap(s.heap.begin(), s.heap.end(), std::greater<>());
    while (!s.heap.empty()) {
        const uint64_t top = s.heap.front();
        std::pop_heap(s.heap.begin(), s.heap.end(), std::greater<>());
        s.heap.pop_back();
        const auto at = static_cast<uint32_t>(top);
        const auto token = static_cast<TokenIndex>(top >> 32);
        if (s.merged[at] != token) continue;  // the pair has changed since
        const uint32_t gone = s.next[at];
        const uint32_t right = s.next[gone];
        s.tokens[at] = token;
        s.next[at] = right;
        s.merged[gone] = kNoToken;
        s.merged[at] = kNoToken;
        if (right < size) {
            s.previous[right] = at;
            offer(at, pairs.merge(token, s.tokens[right]));
        }
        if (at > 0) {
            const uint32_t left = s.previous[at];
            offer(left, pairs.merge(s.tokens[left], token));
        }
    }
    size_t count = 0;
    for (uint32_t at = 0; at < size; at = s.next[at]) out[count++] = s.tokens[at];
    return count;
}

}  // namespace

void MergeScratch::trim() {
    constexpr size_t kKeep = size_t{1} << 16;
    if (tokens.capacity() > kKeep) *this = MergeScratch();
}

size_t merge_piece(const PairTable& pairs, const std::array<TokenIndex, 256>& byte_tokens,
                   std::string_view piece, MergeScratch& scratch, TokenIndex* out) {
    if (piece.empty()) return 0;
    const auto* bytes = reinterpret_cast<const uint8_t*>(piece.data());
    const auto size = static_cast<uint32_t>(piece.size());
    if (piece.size() <= kShortPiece) return merge_short(pairs, byte_tokens.data(), bytes, size, out);
    const size_t count = merge_long(pairs, byte_tokens.data(), bytes, size, scratch, out);
    scratch.trim();
    return count;
}

}  // namespace nlpkit
