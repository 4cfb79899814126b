#include "bpe_training/text_cuts.hpp"

#include <algorithm>
#include <cstdint>

#include "pretokenizer/characters.hpp"

namespace nlpkit {

namespace {

bool continues(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

Character character_at(std::string_view text, size_t at) {
    return character(reinterpret_cast<const Byte*>(text.data()) + at);
}

/// May the text be cut in front of the character at `at`, which is not the first?
bool is_cut(std::string_view text, size_t at) {
    if (text[at] == '\'' || character_at(text, at).in(unicode::letter | unicode::mark)) return false;
    size_t before = at - 1;
    while (continues(text[before])) --before;
    return character_at(text, before).in(unicode::letter);
}

}  // namespace

size_t next_cut(std::string_view text, size_t from) {
    for (size_t at = from > 0 ? from : 1; at < text.size(); ++at) {
        if (!continues(text[at]) && is_cut(text, at)) return at;
    }
    return text.size();
}

size_t last_cut(std::string_view text, size_t from, size_t to) {
    for (size_t at = std::min(to, text.size()); at-- > from + 1;) {
        if (!continues(text[at]) && is_cut(text, at)) return at;
    }
    return 0;
}

}  // namespace nlpkit
