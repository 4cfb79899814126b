#include "bpe_encoding/special_matcher.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace nlpkit {

SpecialMatcher::SpecialMatcher(std::vector<std::pair<std::string, uint32_t>> texts) : texts_(std::move(texts)) {
    std::sort(texts_.begin(), texts_.end());
    for (const auto& [text, id] : texts_) {
        if (text.empty()) throw std::invalid_argument("a special token is the empty text");
        begins_[static_cast<uint8_t>(text[0])] = true;
    }
    if (std::count(begins_.begin(), begins_.end(), true) == 1) {
        only_beginning_ = static_cast<uint8_t>(texts_[0].first[0]);
    }
}

// Narrows down, byte by byte, the texts that begin as `text` goes on; a text that ends comes first of them.
std::optional<SpecialMatcher::Match> SpecialMatcher::match_at(std::string_view text, size_t begin) const {
    std::optional<Match> longest;
    auto first = texts_.begin(), last = texts_.end();
    for (size_t depth = 0; first != last; ++depth) {
        if (first->first.size() == depth) {
            longest = Match{begin, begin + depth, first->second};
            if (++first == last) break;
        }
        if (begin + depth == text.size()) break;
        const char byte = text[begin + depth];
        const auto byte_of = [depth](const auto& entry) { return static_cast<uint8_t>(entry.first[depth]); };
        const auto range = std::ranges::equal_range(first, last, static_cast<uint8_t>(byte), {}, byte_of);
        first = range.begin();
        last = range.end();
    }
    return longest;
}

std::optional<SpecialMatcher::Match> SpecialMatcher::find(std::string_view text, size_t from) const {
    for (size_t at = from; at < text.size(); ++at) {
        if (only_beginning_) {
            const void* found = std::memchr(text.data() + at, *only_beginning_, text.size() - at);
            if (found == nullptr) break;
            at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
        } else {
            while (at < text.size() && !begins_[static_cast<uint8_t>(text[at])]) ++at;
        }
        if (const auto match = match_at(text, at)) return match;
    }
    return std::nullopt;
}

}  // namespace nlpkit
