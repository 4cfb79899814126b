#include "bpe_encoding/merge.hpp"

#include <algorithm>
#include <functional>

#include "bpe_encoding/short_piece.hpp"

namespace nlpkit {

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
