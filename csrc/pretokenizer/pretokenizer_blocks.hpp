// The scanners on 64 bytes at once: where pieces start, as bit algebra over one mask a character class.
//
// A block begins at the start of a piece, and what is before a piece does not matter to it, so a block needs
// no state from the one before. Bit i of every mask is byte i of the block; `x << 1` asks about the byte
// before, `x >> 1` about the byte after. All bytes of a character have its class. A block says only what it
// decides by itself (decided()) and ends early at what the algebra cannot express: digits and white space
// beyond ASCII.
// Every function here restates one of pretokenizer.cpp's scanners, which remain the definition; the tests
// compare the two.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "pretokenizer/characters.hpp"
#include "support/cpu.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace nlpkit::blocks {

constexpr size_t block_size = 64;

/// The classes of 64 bytes, of which the first `known` count; the masks may hold anything above.
struct Block {
    uint64_t letters = 0, digits = 0, whitespace = 0, spaces = 0, newlines = 0, slashes = 0, apostrophes = 0;
    uint64_t upper = 0;         // of the letters: \p{Lu} and \p{Lt}
    uint64_t caseless = 0;      // of the letters: \p{Lm}, \p{Lo} and marks in words (for o200k only)
    uint64_t continuation = 0;  // the bytes of a character after its first
    uint64_t ideographs = 0;    // the first bytes of U+5000..9FFF, all of them \p{Lo}
    uint64_t leads = 0;         // the first bytes of the other characters beyond ASCII
    unsigned known = block_size;

    uint64_t others() const { return ~(letters | digits | whitespace); }

    /// Where the characters that begin at `starts` end.
    uint64_t after(uint64_t starts) const { return ((starts << 1) + continuation) & ~continuation; }
};

using Bytes = uint8_t __attribute__((vector_size(16)));

/// One bit a byte, from bytes that are 0 or 255.
NLPKIT_INLINE uint64_t to_bits(Bytes bytes) {
#if defined(__SSE2__)
    return static_cast<uint32_t>(_mm_movemask_epi8(reinterpret_cast<__m128i>(bytes)));
#else
    // Leave bit i of byte i, then add up each word's bytes in its highest byte.
    using Words = uint64_t __attribute__((vector_size(16)));
    constexpr uint64_t ones = 0x0101010101010101;
    const Words words = reinterpret_cast<Words>(bytes) & 0x8040201008040201;
    return words[0] * ones >> 56 | words[1] * ones >> 56 << 8;
#endif
}

/// Which bytes are in [first, last].
NLPKIT_INLINE Bytes between(Bytes bytes, uint8_t first, uint8_t last) {
    return reinterpret_cast<Bytes>(bytes - first <= Bytes{} + static_cast<uint8_t>(last - first));
}

NLPKIT_INLINE Bytes equal(Bytes bytes, uint8_t value) { return reinterpret_cast<Bytes>(bytes == value); }

/// The bits below position `count` (at most 64).
NLPKIT_INLINE uint64_t below(unsigned count) {
    return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

NLPKIT_INLINE uint64_t bit(unsigned position) { return uint64_t{1} << position; }

/// The masks that ASCII bytes give, and where the others are.
struct Narrow {
    static NLPKIT_INLINE Block classify_ascii(const Byte* text);
};

Block Narrow::classify_ascii(const Byte* text) {
    Block block;
    for (unsigned offset = 0; offset < block_size; offset += sizeof(Bytes)) {
        Bytes bytes;
        std::memcpy(&bytes, text + offset, sizeof bytes);
        const Bytes spaces = equal(bytes, ' ');
        block.letters |= to_bits(between(bytes | 0x20, 'a', 'z')) << offset;
        block.upper |= to_bits(between(bytes, 'A', 'Z')) << offset;
        block.digits |= to_bits(between(bytes, '0', '9')) << offset;
        block.whitespace |= to_bits(between(bytes, '\t', '\r') | spaces) << offset;
        block.spaces |= to_bits(spaces) << offset;
        block.newlines |= to_bits(equal(bytes, '\n') | equal(bytes, '\r')) << offset;
        block.slashes |= to_bits(equal(bytes, '/')) << offset;
        block.apostrophes |= to_bits(equal(bytes, '\'')) << offset;
        block.continuation |= to_bits(between(bytes, 0x80, 0xBF)) << offset;
        block.ideographs |= to_bits(between(bytes, 0xE5, 0xE9)) << offset;
        block.leads |= to_bits(between(bytes, 0xC0, 0xFF)) << offset;
    }
    return block;
}

#if defined(NLPKIT_SIMD_WIDE) && !defined(__clang__)
#define NLPKIT_WIDE_BLOCKS

/// The same at once, in NLPKIT_SIMD_WIDE functions: there comparing 64 bytes gives the bits.
struct Wide {
    using Bytes64 = char __attribute__((vector_size(block_size)));         // what the built-ins take
    using Unsigned64 = uint8_t __attribute__((vector_size(block_size)));  // which may wrap around
    static NLPKIT_INLINE uint64_t equal(Bytes64 bytes, char value) {
        return __builtin_ia32_cmpb512_mask(bytes, Bytes64{} + value, 0, ~uint64_t{0});
    }
    static NLPKIT_INLINE uint64_t between(Bytes64 bytes, uint8_t first, uint8_t last) {
        constexpr int no_more_than = 2;
        return __builtin_ia32_ucmpb512_mask(Bytes64(Unsigned64(bytes) - first),
                                            Bytes64{} + static_cast<char>(last - first), no_more_than, ~uint64_t{0});
    }
    static NLPKIT_INLINE Block classify_ascii(const Byte* text);
};

Block Wide::classify_ascii(const Byte* text) {
    Bytes64 bytes;
    std::memcpy(&bytes, text, sizeof bytes);
    Block block;
    block.spaces = equal(bytes, ' ');
    block.letters = between(bytes | 0x20, 'a', 'z');
    block.upper = between(bytes, 'A', 'Z');
    block.digits = between(bytes, '0', '9');
    block.whitespace = between(bytes, '\t', '\r') | block.spaces;
    block.newlines = equal(bytes, '\n') | equal(bytes, '\r');
    block.slashes = equal(bytes, '/');
    block.apostrophes = equal(bytes, '\'');
    const uint64_t beyond = equal(bytes & static_cast<char>(0x80), static_cast<char>(0x80));
    if (beyond == 0) return block;
    block.continuation = between(bytes, 0x80, 0xBF);
    block.ideographs = between(bytes, 0xE5, 0xE9);
    block.leads = beyond & ~block.continuation;
    return block;
}
#endif

/// Adds a character beyond ASCII, whose bytes are `span`; false where the algebra has no place for it.
template <bool cased>
NLPKIT_INLINE bool add_character(Block& block, Character c, uint64_t span) {
    using namespace unicode;
    uint8_t letters = letter;
    if (cased && c.in(mark)) {
        if ((block.letters & span >> 1) == 0) return false;  // only in a word is a mark like a letter
        letters |= mark;
    }
    const auto span_if = [&](uint8_t classes) { return span & -static_cast<uint64_t>(c.in(classes)); };
    block.letters |= span_if(letters);
    if (cased) {
        block.upper |= span_if(uppercase | titlecase);
        block.caseless |= span_if(letters & ~(uppercase | titlecase | lowercase));
    }
    return !c.in(number | whitespace);
}

/// The classes of the 64 bytes at the start of a piece, of which the first `size` are text; `cased` tells the
/// cases of letters apart.
template <bool cased, typename Width>
NLPKIT_INLINE Block classify(const Byte* text, size_t size) {
    Block block = Width::classify_ascii(text);
    block.known = static_cast<unsigned>(size);
    const uint64_t ideographs = block.ideographs | block.ideographs << 1 | block.ideographs << 2;
    block.letters |= ideographs;
    block.caseless |= ideographs;
    for (uint64_t leads = block.leads & ~block.ideographs; leads != 0; leads &= leads - 1) {
        const unsigned at = static_cast<unsigned>(std::countr_zero(leads));
        const Character c = character(text + at);
        if (!add_character<cased>(block, c, below(c.length) << at)) {
            block.known = at;
            break;
        }
    }
    if (cased) {
        // An upper-case letter after a caseless one starts a piece or not by what follows (skip_upper_lower).
        const uint64_t unclear = block.upper & block.caseless << 1;
        block.known = std::min(block.known, static_cast<unsigned>(std::countr_zero(unclear)));
    }
    return block;
}

/// The first bit of each run of ones.
NLPKIT_INLINE uint64_t run_starts(uint64_t runs) { return runs & ~(runs << 1); }

/// The part of each run from its lowest bit in `seeds` on; `seeds` lie in `runs`. Adding a seed to a run of
/// ones clears it from the seed on and carries into the bit after it; further seeds come back as ones.
NLPKIT_INLINE uint64_t fill_from(uint64_t seeds, uint64_t runs) { return (runs & ~(runs + seeds)) | seeds; }

/// The positions whose being a start or not the block decides. A character other than white space looks two
/// bytes ahead at most (an apostrophe asks whether `ll` follows). White space looks ahead to the end of its
/// run, so it is decided where a decided character comes after it.
NLPKIT_INLINE uint64_t decided(const Block& block) {
    const uint64_t certain = ~block.whitespace & (block.known < 3 ? 0 : below(block.known - 2));
    return certain == 0 ? 0 : below(static_cast<unsigned>(64 - std::countl_zero(certain)));
}

/// The length of the contraction whose apostrophe is at `p`, 0 for none: the twin of skip_contraction.
template <bool any_case>
NLPKIT_INLINE unsigned contraction_length(const Byte* p) {
    constexpr Byte to_lower = any_case ? 0x20 : 0;
    const Byte first = p[1] | to_lower;
    const Byte second = p[2] | to_lower;
    if (first == 's' || first == 'd' || first == 'm' || first == 't') return 2;
    if ((first == 'l' && second == 'l') || ((first == 'v' || first == 'r') && second == 'e')) return 3;
    return any_case && p[1] == 0xC5 && p[2] == 0xBF ? 3 : 0;  // the long s
}

/// Starts of \p{N}{1,most}: the first digit of a run and every most-th after it.
template <unsigned most>
NLPKIT_INLINE uint64_t digit_starts(uint64_t digits) {
    if (most == 1) return digits;
    uint64_t within = digits;  // digits that have `most` digits of the run before them
    for (unsigned i = 1; i <= most; ++i) within &= digits << i;
    uint64_t starts = run_starts(digits);
    for (uint64_t next = starts << most & within; next != 0; next = next << most & within) starts |= next;
    return starts;
}

/// Starts in runs of white space that end before the block does, by \s*[\r\n]+|\s+(?!\S)|\s+: the run's own
/// start, what is after its last newline, and its last character unless that is a newline.
NLPKIT_INLINE uint64_t whitespace_starts(uint64_t whitespace, uint64_t newlines) {
    const uint64_t blanks = whitespace & ~newlines;
    uint64_t after_newline = blanks & (whitespace & newlines) << 1;
    // Runs of blanks between two newlines of one run are not after its last newline.
    for (uint64_t later = (blanks + after_newline) & ~blanks & newlines; later != 0; later &= later - 1) {
        const uint64_t before = after_newline & below(static_cast<unsigned>(std::countr_zero(later)));
        after_newline &= ~std::bit_floor(before);
    }
    return run_starts(whitespace) | after_newline | (blanks & ~(whitespace >> 1));
}

NLPKIT_INLINE uint64_t gpt2_starts(const Byte* text, const Block& block) {
    const uint64_t after_space = block.spaces << 1;
    const uint64_t others = block.others();
    uint64_t starts = run_starts(block.letters) | run_starts(block.digits) | run_starts(others);
    starts &= ~after_space;
    starts |= run_starts(block.whitespace) | (block.whitespace & ~(block.whitespace >> 1));
    // '(?:[sdmt]|ll|ve|re): an apostrophe that starts a piece and has letters after it
    uint64_t candidates = block.apostrophes & run_starts(others) & ~after_space & block.letters >> 1;
    for (candidates &= decided(block); candidates != 0; candidates &= candidates - 1) {
        const unsigned at = static_cast<unsigned>(std::countr_zero(candidates));
        const unsigned length = contraction_length<false>(text + at);
        if (length != 0) starts = (starts & ~(bit(at) << 1)) | (bit(at) << length & block.letters);
    }
    return starts;
}

template <unsigned most_digits>
NLPKIT_INLINE uint64_t cl100k_starts(const Byte* text, const Block& block) {
    const uint64_t others = block.others();
    // [\r\n]*+ after ` ?[^\s\p{L}\p{N}]++` belongs to that piece
    const uint64_t absorbed = fill_from(block.newlines & others << 1, block.newlines);
    const uint64_t whitespace = block.whitespace & ~absorbed;
    const uint64_t other_starts = run_starts(others) & ~(block.spaces << 1);
    // [^\r\n\p{L}\p{N}]?+ before letters: white space, or a lone other character that no space took
    const uint64_t prefixed = (whitespace & ~block.newlines) << 1 | block.after(other_starts);
    uint64_t starts = (run_starts(block.letters) & ~prefixed) | other_starts;
    starts |= digit_starts<most_digits>(block.digits) | whitespace_starts(whitespace, block.newlines);
    // '(?i:[sdmt]|ll|ve|re) comes first
    uint64_t candidates = block.apostrophes & other_starts & block.letters >> 1;
    for (candidates &= decided(block); candidates != 0; candidates &= candidates - 1) {
        const unsigned at = static_cast<unsigned>(std::countr_zero(candidates));
        const unsigned length = contraction_length<true>(text + at);
        if (length != 0) starts |= bit(at) << length & block.letters;
    }
    return starts;
}

NLPKIT_INLINE uint64_t o200k_starts(const Byte* text, const Block& block) {
    // [\r\n/]* after ` ?[^\s\p{L}\p{N}]+` belongs to that piece
    const uint64_t absorbed = fill_from(block.newlines & block.others() << 1, block.newlines | block.slashes);
    const uint64_t others = block.others() & ~absorbed;
    const uint64_t whitespace = block.whitespace & ~absorbed;
    const uint64_t other_starts = run_starts(others) & ~(block.spaces << 1);
    const uint64_t prefixed = (whitespace & ~block.newlines) << 1 | block.after(other_starts);
    const uint64_t lower = block.letters & ~block.upper;
    uint64_t starts = (run_starts(block.letters) & ~prefixed) | (block.upper & lower << 1) | other_starts;
    starts |= digit_starts<3>(block.digits) | whitespace_starts(whitespace, block.newlines);
    // (?i:'s|'t|'re|'ve|'m|'ll|'d)? after a word, which a contraction is not
    uint64_t candidates = block.apostrophes & block.letters << 1 & block.letters >> 1;
    unsigned past_last = 0;
    for (candidates &= decided(block); candidates != 0; candidates &= candidates - 1) {
        const unsigned at = static_cast<unsigned>(std::countr_zero(candidates));
        const unsigned length = contraction_length<true>(text + at);
        if (length == 0 || at == past_last) continue;
        past_last = at + length;
        starts = (starts & ~(below(length) << at)) | (bit(at) << length & block.letters);
    }
    return starts;
}

}  // namespace nlpkit::blocks
