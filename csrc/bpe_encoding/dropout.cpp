#include "bpe_encoding/dropout.hpp"

#include <algorithm>
#include <functional>

namespace nlpkit {

namespace {

uint64_t entry_of(TokenIndex merged, uint32_t at) { return static_cast<uint64_t>(merged) << 32 | at; }

void push(std::vector<uint64_t>& heap, uint64_t entry) {
    heap.push_back(entry);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

uint64_t pop(std::vector<uint64_t>& heap) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const uint64_t entry = heap.back();
    heap.pop_back();
    return entry;
}

void start(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view piece, DropoutScratch& s) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(piece.data());
    const auto size = static_cast<uint32_t>(piece.size());
    s.tokens.resize(size);
    s.next.resize(size);
    s.previous.resize(size);
    s.merged.assign(size, kNoToken);
    s.heap.clear();
    for (uint32_t at = 0; at < size; ++at) {
        s.tokens[at] = byte_tokens[bytes[at]];
        s.next[at] = at + 1;
        s.previous[at] = at - 1;  // of the first one: never read
        if (at + 1 == size) break;
        s.merged[at] = pairs.merge_bytes(bytes[at], bytes[at + 1]);
        if (s.merged[at] != kNoToken) s.heap.push_back(entry_of(s.merged[at], at));
    }
    std::make_heap(s.heap.begin(), s.heap.end(), std::greater<>());
}

void offer(DropoutScratch& s, uint32_t at, TokenIndex merged) {
    s.merged[at] = merged;
    if (merged != kNoToken) push(s.heap, entry_of(merged, at));
}

/// Makes the merge that begins at `at`. Spans only grow, so an entry of the heap that fits `merged` is there once.
void apply(const PairTable& pairs, DropoutScratch& s, uint32_t at, TokenIndex token) {
    const uint32_t gone = s.next[at];
    const uint32_t right = s.next[gone];
    s.tokens[at] = token;
    s.next[at] = right;
    s.merged[gone] = kNoToken;
    s.merged[at] = kNoToken;
    if (right < s.tokens.size()) {
        s.previous[right] = at;
        offer(s, at, pairs.merge(token, s.tokens[right]));
    }
    if (at > 0) offer(s, s.previous[at], pairs.merge(s.tokens[s.previous[at]], token));
}

}  // namespace

size_t merge_with_dropout(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view piece,
                          double probability, CounterRandom random, DropoutScratch& s, TokenIndex* out) {
    if (piece.empty()) return 0;
    start(pairs, byte_tokens, piece, s);
    const bool drops_all = probability >= 1;
    const auto bound = drops_all ? 0 : static_cast<uint64_t>(probability * 0x1p64);
    uint64_t draws = 0;
    bool merges = !drops_all;
    while (merges) {
        merges = false;
        s.dropped.clear();
        while (!s.heap.empty() && !merges) {
            const uint64_t entry = pop(s.heap);
            const auto at = static_cast<uint32_t>(entry);
            const auto token = static_cast<TokenIndex>(entry >> 32);
            if (s.merged[at] != token) continue;  // the pair has changed since
            if (random(draws++) < bound) {
                s.dropped.push_back(entry);
            } else {
                apply(pairs, s, at, token);
                merges = true;
            }
        }
        for (const uint64_t entry : s.dropped) push(s.heap, entry);
    }
    size_t count = 0;
    for (uint32_t at = 0; at < s.tokens.size(); at = s.next[at]) out[count++] = s.tokens[at];
    return count;
}

}  // namespace nlpkit
