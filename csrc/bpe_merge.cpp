#include "bpe_merge.hpp"

#include <algorithm>
#include <functional>

namespace nlpkit {

namespace {

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

}  // namespace

void start_from_bytes(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view bytes,
                      ShortPiece& piece) {
    const auto* values = reinterpret_cast<const uint8_t*>(bytes.data());
    const auto size = static_cast<uint32_t>(bytes.size());
    for (uint32_t at = 0; at < size; ++at) piece.tokens[at] = byte_tokens[values[at]];
    for (uint32_t at = 0; at + 1 < size; ++at) {
        piece.keys[at] = ShortPiece::key_of(pairs.merge_bytes(values[at], values[at + 1]), at);
    }
    piece.count = size;
}

NLPKIT_SIMD size_t merge_short(const PairTable& pairs, ShortPiece& piece, TokenIndex* out) {
    uint8_t next[kShortPiece + 1];
    uint8_t previous[kShortPiece + 1];
    uint32_t* const keys = piece.keys;
    TokenIndex* const tokens = piece.tokens;
    const uint32_t count = piece.count;
    const size_t blocks = (count + kLanes - 1) / kLanes;
    for (uint32_t at = 0; at < count; ++at) {
        next[at] = static_cast<uint8_t>(at + 1);
        previous[at + 1] = static_cast<uint8_t>(at);
    }
    for (size_t at = count - 1; at < blocks * kLanes; ++at) keys[at] = ShortPiece::kNoKey;

    for (uint32_t key = smallest(keys, blocks); key != ShortPiece::kNoKey; key = smallest(keys, blocks)) {
        const uint32_t at = key & (kShortPiece - 1);
        const TokenIndex token = key >> ShortPiece::kPositionBits;
        const uint32_t gone = next[at];
        const uint32_t right = next[gone];
        tokens[at] = token;
        next[at] = static_cast<uint8_t>(right);
        previous[right] = static_cast<uint8_t>(at);
        keys[gone] = ShortPiece::kNoKey;
        keys[at] = right < count ? ShortPiece::key_of(pairs.merge(token, tokens[right]), at)
                                 : ShortPiece::kNoKey;
        if (at > 0) {
            const uint32_t left = previous[at];
            keys[left] = ShortPiece::key_of(pairs.merge(tokens[left], token), left);
        }
    }
    size_t written = 0;
    for (uint32_t at = 0; at < count; at = next[at]) out[written++] = tokens[at];
    return written;
}

namespace {

size_t merge_long(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view text,
                  MergeScratch& s, TokenIndex* out) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    const auto size = static_cast<uint32_t>(text.size());
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

size_t merge_bytes(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view bytes,
                   MergeScratch& scratch, TokenIndex* out) {
    if (bytes.empty()) return 0;
    if (bytes.size() <= kShortPiece) {
        ShortPiece piece;
        start_from_bytes(pairs, byte_tokens, bytes, piece);
        return merge_short(pairs, piece, out);
    }
    const size_t count = merge_long(pairs, byte_tokens, bytes, scratch, out);
    scratch.trim();
    return count;
}

}  // namespace nlpkit
