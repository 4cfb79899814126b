// Reading UTF-8 one character at a time, with the class of each.
#pragma once

#include <cstdint>

#include "support/cpu.hpp"
#include "pretokenizer/unicode_tables.hpp"

namespace nlpkit {

using Byte = unsigned char;

/// A character of a text: its classes, as bits of unicode::Class, and its length in bytes.
struct Character {
    uint8_t classes;
    uint8_t length;

    bool in(uint8_t wanted) const { return (classes & wanted) != 0; }
};

/// The classes of the code point whose bits above 12, 6 to 11, and 0 to 5 are given.
NLPKIT_INLINE uint8_t classes_of(unsigned high, unsigned middle, unsigned low) {
    return unicode::leaves[unicode::branches[unicode::roots[high] + middle] + low];
}

/// The character at `p`, in valid UTF-8. The levels of the class table are the payloads of UTF-8's bytes.
NLPKIT_INLINE Character character(const Byte* p) {
    const unsigned lead = p[0];
    if (lead < 0x80) return {unicode::leaves[unicode::branches[lead >> 6] + (lead & 63)], 1};
    if (lead < 0xE0) return {classes_of(0, lead & 31, p[1] & 63u), 2};
    if (lead < 0xF0) return {classes_of(lead & 15, p[1] & 63u, p[2] & 63u), 3};
    return {classes_of((lead & 7) << 6 | (p[1] & 63u), p[2] & 63u, p[3] & 63u), 4};
}

}  // namespace nlpkit
