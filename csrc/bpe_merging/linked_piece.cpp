#include "bpe_merging/linked_piece.hpp"

namespace nlpkit {

void LinkedPiece::start(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view piece) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(piece.data());
    const auto size = static_cast<uint32_t>(piece.size());
    pairs_ = &pairs;
    tokens_.resize(size);
    next_.resize(size);
    previous_.resize(size);
    merged_.assign(size, kNoToken);
    heap_.clear();
    for (uint32_t at = 0; at < size; ++at) {
        tokens_[at] = byte_tokens[bytes[at]];
        next_[at] = at + 1;
        previous_[at] = at - 1;  // of the first one: never read
        if (at + 1 == size) break;
        merged_[at] = pairs.merge_bytes(bytes[at], bytes[at + 1]);
        if (merged_[at] != kNoToken) heap_.push_back(entry_of({merged_[at], at}));
    }
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
}

size_t LinkedPiece::write(TokenIndex* out) const {
    size_t count = 0;
    for (uint32_t at = 0; at < tokens_.size(); at = next_[at]) out[count++] = tokens_[at];
    return count;
}

void LinkedPiece::trim() {
    constexpr size_t kKeep = size_t{1} << 16;
    if (tokens_.capacity() > kKeep) *this = LinkedPiece();
}

}  // namespace nlpkit
