// The scanners, each written alternative by alternative in its pattern's order. A regex engine tries the
// alternatives at the end of the last piece and takes the first that matches, so a scanner is a function from
// the start of a piece to its end.
#include "pretokenizer/pretokenizer.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "pretokenizer/characters.hpp"
#include "support/cpu.hpp"
#include "pretokenizer/pretokenizer_blocks.hpp"

namespace nlpkit {

namespace {

using unicode::letter;
using unicode::mark;
using unicode::number;
using unicode::whitespace;

constexpr uint8_t spoken_for = whitespace | letter | number;  // what [^\s\p{L}\p{N}] excludes

bool is_newline(Byte byte) { return byte == '\r' || byte == '\n'; }

/// Past the characters of these classes.
template <uint8_t classes>
NLPKIT_INLINE const Byte* skip(const Byte* p, const Byte* end) {
    while (p < end) {
        const Character c = character(p);
        if (!c.in(classes)) break;
        p += c.length;
    }
    return p;
}

/// Past [^\s\p{L}\p{N}]*.
NLPKIT_INLINE const Byte* skip_others(const Byte* p, const Byte* end) {
    while (p < end) {
        const Character c = character(p);
        if (c.in(spoken_for)) break;
        p += c.length;
    }
    return p;
}

/// Past [\r\n]*, or [\r\n/]* with slashes.
template <bool slashes>
NLPKIT_INLINE const Byte* skip_newlines(const Byte* p, const Byte* end) {
    while (p < end && (is_newline(*p) || (slashes && *p == '/'))) ++p;
    return p;
}

/// Past \p{N}{0,most}.
template <unsigned most>
NLPKIT_INLINE const Byte* skip_digits(const Byte* p, const Byte* end) {
    for (unsigned count = 0; count < most && p < end; ++count) {
        const Character c = character(p);
        if (!c.in(number)) break;
        p += c.length;
    }
    return p;
}

/// Past a contraction at `p`: '(?:[sdmt]|ll|ve|re), and with any_case '(?i:[sdmt]|ll|ve|re), where the long s
/// U+017F (bytes C5 BF) is an s: the one character outside ASCII that folds to a letter of a contraction.
template <bool any_case>
NLPKIT_INLINE const Byte* skip_contraction(const Byte* p, const Byte* end) {
    if (end - p < 2 || p[0] != '\'') return p;
    constexpr Byte to_lower = any_case ? 0x20 : 0;
    const Byte first = p[1] | to_lower;
    if (first == 's' || first == 'd' || first == 'm' || first == 't') return p + 2;
    if (end - p < 3) return p;
    if (any_case && p[1] == 0xC5 && p[2] == 0xBF) return p + 3;
    const Byte second = p[2] | to_lower;
    if (first == 'l' && second == 'l') return p + 3;
    return (first == 'v' || first == 'r') && second == 'e' ? p + 3 : p;
}

/// What a pattern does with a run of white space that no earlier alternative took a part of.
enum class Blanks : uint8_t {
    plain,        ///< \s+(?!\S)|\s+                  gpt2 (\s++$ before it changes nothing)
    newline,      ///< \s*[\r\n]+|\s+(?!\S)|\s+       o200k, llama3 and its kin
    whole_at_end  ///< \s++$|\s*[\r\n]|\s+(?!\S)|\s   cl100k
};

template <Blanks rule>
NLPKIT_INLINE const Byte* skip_whitespace(const Byte* start, const Byte* end) {
    const Byte* p = start;
    const Byte* last = start;            // the last character of the run
    const Byte* past_newline = nullptr;  // the end of its last newline
    while (p < end) {
        const Character c = character(p);
        if (!c.in(whitespace)) break;
        last = p;
        p += c.length;
        if (is_newline(*last)) past_newline = p;
    }
    if (rule == Blanks::whole_at_end && p == end) return p;                     // \s++$
    if (rule != Blanks::plain && past_newline != nullptr) return past_newline;  // \s*[\r\n]
    if (p == end || last == start) return p;  // \s+(?!\S) at the end of the text, or the lone \s before a \S
    return last;                              // \s+(?!\S) gives back one character
}

// '(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s
NLPKIT_INLINE const Byte* gpt2_piece(const Byte* start, const Byte* end) {
    // '(?:[sdmt]|ll|ve|re)
    if (const Byte* p = skip_contraction<false>(start, end); p != start) return p;
    const Byte* p = start + (*start == ' ');
    if (p < end) {
        const Character c = character(p);
        if (c.in(letter)) return skip<letter>(p + c.length, end);      //  ?\p{L}++
        if (c.in(number)) return skip<number>(p + c.length, end);      //  ?\p{N}++
        if (!c.in(whitespace)) return skip_others(p + c.length, end);  //  ?[^\s\p{L}\p{N}]++
    }
    return skip_whitespace<Blanks::plain>(start, end);  // \s++$|\s+(?!\S)|\s
}

// '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+
// |\s++$|\s*[\r\n]|\s+(?!\S)|\s   and its kin, with fewer digits or without \s++$
template <unsigned most_digits, Blanks blanks>
NLPKIT_INLINE const Byte* cl100k_piece(const Byte* start, const Byte* end) {
    // '(?i:[sdmt]|ll|ve|re)
    if (const Byte* p = skip_contraction<true>(start, end); p != start) return p;
    // [^\r\n\p{L}\p{N}]?+\p{L}++
    const Character first = character(start);
    const Byte* second = start + first.length;
    if (first.in(letter)) return skip<letter>(second, end);
    if (!first.in(number) && !is_newline(*start)) {
        if (const Byte* p = skip<letter>(second, end); p != second) return p;
    }
    // \p{N}{1,3}+
    if (first.in(number)) return skip_digits<most_digits - 1>(second, end);
    //  ?[^\s\p{L}\p{N}]++[\r\n]*+
    const Byte* others = start + (*start == ' ');
    if (const Byte* p = skip_others(others, end); p != others) return skip_newlines<false>(p, end);
    // white space
    return skip_whitespace<blanks>(start, end);
}

constexpr uint8_t caseless = unicode::modifier | unicode::other_letter | mark;
constexpr uint8_t upper = unicode::uppercase | unicode::titlecase | caseless;
constexpr uint8_t lower = unicode::lowercase | caseless;

/// The end of UPPER*LOWER+ at `word`, or `word` where it does not match. The classes overlap: where no
/// lower-case letter follows the run of UPPER, that run gives its end back up to its last caseless character,
/// which is then all that LOWER+ takes.
NLPKIT_INLINE const Byte* skip_upper_lower(const Byte* word, const Byte* end) {
    const Byte* p = word;
    const Byte* past_caseless = word;
    while (p < end) {
        const Character c = character(p);
        if (!c.in(upper)) {
            if (c.in(lower)) return skip<lower>(p + c.length, end);
            break;
        }
        p += c.length;
        if (c.in(lower)) past_caseless = p;
    }
    return past_caseless;
}

/// The end of UPPER+LOWER* at `word`, or `word`.
NLPKIT_INLINE const Byte* skip_upper(const Byte* word, const Byte* end) {
    const Byte* p = skip<upper>(word, end);
    return p == word ? word : skip<lower>(p, end);
}

// PREFIX?UPPER*LOWER+CONTRACTION?|PREFIX?UPPER+LOWER*CONTRACTION?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*
// |\s*[\r\n]+|\s+(?!\S)|\s+   where PREFIX = [^\r\n\p{L}\p{N}], UPPER = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}],
// LOWER = [\p{Ll}\p{Lm}\p{Lo}\p{M}], CONTRACTION = (?i:'s|'t|'re|'ve|'m|'ll|'d).
// A mark can be the prefix or the first of UPPER*; the word then ends at the same place, or only the latter
// matches: so a mark is always taken as a part of the word.
NLPKIT_INLINE const Byte* o200k_piece(const Byte* start, const Byte* end) {
    const Character first = character(start);
    const Byte* second = start + first.length;
    const Byte* word = first.in(letter | mark | number) || is_newline(*start) ? start : second;
    // PREFIX?UPPER*LOWER+CONTRACTION?
    if (const Byte* p = skip_upper_lower(word, end); p != word) return skip_contraction<true>(p, end);
    // PREFIX?UPPER+LOWER*CONTRACTION?
    if (const Byte* p = skip_upper(word, end); p != word) return skip_contraction<true>(p, end);
    // \p{N}{1,3}
    if (first.in(number)) return skip_digits<2>(second, end);
    //  ?[^\s\p{L}\p{N}]+[\r\n/]*
    const Byte* others = start + (*start == ' ');
    if (const Byte* p = skip_others(others, end); p != others) return skip_newlines<true>(p, end);
    // \s*[\r\n]+|\s+(?!\S)|\s+
    return skip_whitespace<Blanks::newline>(start, end);
}

using Piece = const Byte* (*)(const Byte* start, const Byte* end);
using BlockStarts = uint64_t (*)(const Byte* text, const blocks::Block& block);

/// The starts of pieces, as bits, that the 64 bytes from the start of one on decide; without that first one.
template <typename Width, bool cased, BlockStarts block_starts>
NLPKIT_INLINE uint64_t starts_ahead(const Byte* p, size_t left) {
    constexpr size_t worthwhile = 12;  // bytes; the two or three pieces in less are sooner scanned one by one
    if (left < worthwhile) return 0;
    Byte padded[blocks::block_size] = {};
    if (left < blocks::block_size) p = static_cast<const Byte*>(std::memcpy(padded, p, left));
    const blocks::Block block = blocks::classify<cased, Width>(p, std::min(left, blocks::block_size));
    return block_starts(p, block) & blocks::decided(block) & ~uint64_t{1};
}

/// Writes the positions of the bits as ends counted from `base`; there is room for 64. Returns how many.
NLPKIT_INLINE size_t write_ends(uint64_t bits, size_t base, size_t* ends) {
    const size_t count = static_cast<size_t>(std::popcount(bits));
    for (size_t i = 0; i < count; i += 8) {  // eight at a time, to guess wrongly less often when to stop
        for (size_t j = i; j < i + 8; ++j) {
            ends[j] = base + static_cast<size_t>(std::countr_zero(bits));
            bits &= bits - 1;
        }
    }
    return count;
}

/// Goes from piece to piece: by blocks where there is room for all the ends that one may decide, and where it
/// decides any, else one by one.
template <typename Width, bool cased, Piece piece, BlockStarts block_starts>
NLPKIT_INLINE size_t scan(std::string_view text, size_t begin, size_t* ends, size_t capacity) {
    const Byte* const base = reinterpret_cast<const Byte*>(text.data());
    const Byte* const end = base + text.size();
    const Byte* p = base + begin;
    const bool by_blocks = capacity >= blocks::block_size;
    const size_t enough = by_blocks ? capacity - blocks::block_size + 1 : capacity;
    size_t count = 0;
    while (count < enough && p < end) {
        const size_t left = static_cast<size_t>(end - p);
        const uint64_t starts = by_blocks ? starts_ahead<Width, cased, block_starts>(p, left) : 0;
        if (starts != 0) {
            count += write_ends(starts, static_cast<size_t>(p - base), ends + count);
            p += std::bit_width(starts) - 1;
        } else {
            p = piece(p, end);
            ends[count++] = static_cast<size_t>(p - base);
        }
    }
    return count;
}

}  // namespace

std::optional<Scheme> scheme_from_name(std::string_view name) {
    if (name == "gpt2") return Scheme::gpt2;
    if (name == "cl100k") return Scheme::cl100k;
    if (name == "o200k") return Scheme::o200k;
    if (name == "llama3") return Scheme::llama3;
    if (name == "qwen2") return Scheme::qwen2;
    if (name == "nanochat") return Scheme::nanochat;
    return std::nullopt;
}

namespace {

template <typename Width>
NLPKIT_INLINE size_t scan_by(Scheme scheme, std::string_view text, size_t begin, size_t* ends, size_t capacity) {
    using namespace blocks;
    constexpr auto newline = Blanks::newline;
    constexpr auto whole_at_end = Blanks::whole_at_end;
    switch (scheme) {
        case Scheme::gpt2:
            return scan<Width, false, gpt2_piece, gpt2_starts>(text, begin, ends, capacity);
        case Scheme::cl100k:
            return scan<Width, false, cl100k_piece<3, whole_at_end>, cl100k_starts<3>>(text, begin, ends, capacity);
        case Scheme::o200k:
            return scan<Width, true, o200k_piece, o200k_starts>(text, begin, ends, capacity);
        case Scheme::llama3:
            return scan<Width, false, cl100k_piece<3, newline>, cl100k_starts<3>>(text, begin, ends, capacity);
        case Scheme::qwen2:
            return scan<Width, false, cl100k_piece<1, newline>, cl100k_starts<1>>(text, begin, ends, capacity);
        case Scheme::nanochat:
            return scan<Width, false, cl100k_piece<2, newline>, cl100k_starts<2>>(text, begin, ends, capacity);
    }
    return 0;
}

NLPKIT_SIMD size_t scan_narrow(Scheme scheme, std::string_view text, size_t begin, size_t* ends, size_t capacity) {
    return scan_by<blocks::Narrow>(scheme, text, begin, ends, capacity);
}

#if defined(NLPKIT_WIDE_BLOCKS)
NLPKIT_SIMD_WIDE size_t scan_wide(Scheme scheme, std::string_view text, size_t begin, size_t* ends, size_t capacity) {
    return scan_by<blocks::Wide>(scheme, text, begin, ends, capacity);
}
const bool wide = has_wide_vectors();
#endif

}  // namespace

size_t pretokenize(Scheme scheme, std::string_view text, size_t begin, size_t* ends, size_t capacity) {
#if defined(NLPKIT_WIDE_BLOCKS)
    if (wide) return scan_wide(scheme, text, begin, ends, capacity);
#endif
    return scan_narrow(scheme, text, begin, ends, capacity);
}

uint8_t class_bits(uint32_t code_point) {
    return classes_of(code_point >> 12, code_point >> 6 & 63, code_point & 63);
}

}  // namespace nlpkit
