// A decimal number in text, as the float32 nearest to its double: what other programs' vector files are made of.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace nlpkit {

enum class NumberKind : uint8_t { finite, infinite, none };

namespace detail {

/// Doubles hold integers up to 2^53 and powers of ten up to 10^22 exactly, so that one product or quotient of them
/// is rounded once, which makes it the nearest (Clinger 1990).
constexpr uint64_t EXACT_INTEGERS = uint64_t{1} << 53;
constexpr int EXACT_POWERS = 22;
constexpr double POWERS_OF_TEN[EXACT_POWERS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int MOST_DIGITS = 19;  // that 64 bits hold

struct Decimal {
    uint64_t digits = 0;
    int count = 0;     // digits from the first that is not 0
    int exponent = 0;  // of ten
    bool any = false;  // whether there was a digit

    void add(char digit) {
        any = true;
        if (count < MOST_DIGITS) digits = 10 * digits + static_cast<uint64_t>(digit - '0');
        count += count > 0 || digit != '0';
    }
};

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads e-12 and the like; false where no digit follows. A power so great that it does not matter stays so.
inline bool read_exponent(const char*& at, const char* end, int& exponent) {
    const bool negative = at != end && *at == '-';
    if (at != end && (*at == '-' || *at == '+')) ++at;
    if (at == end || !is_digit(*at)) return false;
    int power = 0;
    for (; at != end && is_digit(*at); ++at) power = power < 100000 ? 10 * power + (*at - '0') : power;
    exponent += negative ? -power : power;
    return true;
}

inline bool spells_infinite(std::string_view text) {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    std::string lower(text);
    for (char& c : lower) c = static_cast<char>(c | 0x20);
    return lower == "nan" || lower == "inf" || lower == "infinity";
}

}  // namespace detail

/// Reads the whole of `text`; `value` is set where the number is finite.
inline NumberKind read_number(std::string_view text, float& value) {
    using namespace detail;
    const char* at = text.data();
    const char* const end = at + text.size();
    const bool negative = at != end && *at == '-';
    if (at != end && (*at == '-' || *at == '+')) ++at;
    Decimal decimal;
    for (; at != end && is_digit(*at); ++at) decimal.add(*at);
    if (at != end && *at == '.')
        for (++at; at != end && is_digit(*at); ++at, --decimal.exponent) decimal.add(*at);
    const bool well_formed =
        decimal.any && (at == end || ((*at | 0x20) == 'e' && read_exponent(++at, end, decimal.exponent) && at == end));
    if (!well_formed) return spells_infinite(text) ? NumberKind::infinite : NumberKind::none;
    double number;
    if (decimal.count <= MOST_DIGITS && decimal.digits <= EXACT_INTEGERS && decimal.exponent >= -EXACT_POWERS &&
        decimal.exponent <= EXACT_POWERS) {
        const double integer = static_cast<double>(decimal.digits);
        number = decimal.exponent < 0 ? integer / POWERS_OF_TEN[-decimal.exponent]
                                      : integer * POWERS_OF_TEN[decimal.exponent];
        if (negative) number = -number;
    } else {
        number = std::strtod(std::string(text).c_str(), nullptr);  // Python's locale for numbers is C's
    }
    value = static_cast<float>(number);
    return value - value == 0 ? NumberKind::finite : NumberKind::infinite;
}

}  // namespace nlpkit
