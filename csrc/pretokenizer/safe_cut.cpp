// Why the places are safe, going through the alternatives of each pattern (pretokenizer.cpp has them):
//
// No piece goes on across the place, and so one ends there, because
// - after a character that is no white space comes white space other than a newline: no alternative takes both
//   (`[\r\n]*` and `[\r\n/]*` after other characters take newlines alone);
// - after a letter comes neither letter nor mark nor an apostrophe: in every alternative that takes letters nothing
//   follows them but letters, o200k's marks, and o200k's contraction, which begins with an apostrophe;
// - after a number comes no number: numbers are taken with numbers alone, and before them gpt2's one space.
//
// What follows an end does not depend on what was before it. And what comes before the place does not depend on
// what follows: the one look ahead, `(?!\S)` or `$` after white space, looks at most at the character before the
// place, which is none; and the quantifiers end at the place as they do at the end of a text.
#include "pretokenizer/safe_cut.hpp"

#include "pretokenizer/characters.hpp"

namespace nlpkit {

namespace {

using unicode::letter;
using unicode::mark;
using unicode::number;
using unicode::whitespace;

bool is_continuation(Byte byte) { return (byte & 0xC0) == 0x80; }

bool is_safe(Character before, Character after, Byte first) {
    if (!before.in(whitespace) && after.in(whitespace) && first != '\r' && first != '\n') return true;
    if (before.in(letter)) return !after.in(letter | mark) && first != '\'';
    return before.in(number) && !after.in(number);
}

}  // namespace

size_t find_safe_cut(std::string_view text, size_t from, size_t limit) {
    const auto* const bytes = reinterpret_cast<const Byte*>(text.data());
    while (from < limit && is_continuation(bytes[from])) ++from;
    if (from >= limit) return limit;
    size_t start = from - 1;  // of the character before
    while (is_continuation(bytes[start])) --start;
    Character before = character(bytes + start);
    while (from < limit) {
        const Character after = character(bytes + from);
        if (is_safe(before, after, bytes[from])) return from;
        before = after;
        from += after.length;
    }
    return limit;
}

}  // namespace nlpkit
