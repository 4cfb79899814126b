// Words between white space, as Python's str.split() finds them, over UTF-8.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "support/cpu.hpp"

namespace nlpkit {

/// What a byte may begin: nothing white, a white character of its own, or one of several bytes.
enum class WhiteStart : uint8_t { none, one_byte, several_bytes };

inline constexpr std::array<WhiteStart, 256> kWhiteStarts = [] {
    std::array<WhiteStart, 256> starts{};
    for (const int byte : {0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F, 0x20})
        starts[static_cast<size_t>(byte)] = WhiteStart::one_byte;
    for (const int byte : {0xC2, 0xE1, 0xE2, 0xE3}) starts[static_cast<size_t>(byte)] = WhiteStart::several_bytes;
    return starts;
}();

/// The length of the white character at `at` in bytes, 0 if there is none. Beyond ASCII these are U+0085, U+00A0,
/// U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F and U+3000.
NLPKIT_INLINE size_t white_length(const char* at, const char* end) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(at[i]); };
    const WhiteStart start = kWhiteStarts[byte(0)];
    if (start == WhiteStart::none) return 0;
    if (start == WhiteStart::one_byte) return 1;
    if (byte(0) == 0xC2) return byte(1) == 0x85 || byte(1) == 0xA0 ? 2 : 0;
    if (end - at < 3) return 0;
    const unsigned code = (byte(0) & 0xFu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    const bool white = code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
                       code == 0x202F || code == 0x205F || code == 0x3000;
    return white ? 3 : 0;
}

/// Calls `use(word)` for every word of a valid UTF-8 text.
template <class Use>
NLPKIT_INLINE void split_words(std::string_view text, Use use) {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        if (const size_t white = white_length(at, end)) {
            at += white;
            continue;
        }
        const char* const begin = at;
        do ++at;
        while (at < end && white_length(at, end) == 0);
        use(std::string_view(begin, static_cast<size_t>(at - begin)));
    }
}

}  // namespace nlpkit
