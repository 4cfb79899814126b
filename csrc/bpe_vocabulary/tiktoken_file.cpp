#include "bpe_vocabulary/tiktoken_file.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace nlpkit {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<uint8_t, 256> kValues = [] {
    std::array<uint8_t, 256> values{};
    values.fill(UINT8_MAX);
    for (size_t i = 0; i < kDigits.size(); ++i) values[static_cast<uint8_t>(kDigits[i])] = static_cast<uint8_t>(i);
    return values;
}();

bool is_space(char character) { return character == ' ' || (character >= '\t' && character <= '\r'); }

/// The next word of a line; what is left of the line begins after it.
std::string_view take_word(std::string_view& line) {
    size_t begin = 0;
    while (begin < line.size() && is_space(line[begin])) ++begin;
    size_t end = begin;
    while (end < line.size() && !is_space(line[end])) ++end;
    const std::string_view word = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return word;
}

/// Appends what base64 stands for; false where it is not base64 of at least one byte.
bool append_decoded(std::string_view base64, std::string& text) {
    if (base64.empty() || base64.size() % 4 != 0) return false;
    const size_t padding = base64.ends_with("==") ? 2 : base64.ends_with('=') ? 1 : 0;
    uint32_t bits = 0, wrong = 0;
    for (size_t i = 0; i < base64.size(); ++i) {
        const bool is_padding = i >= base64.size() - padding;
        const uint32_t value = is_padding ? 0 : kValues[static_cast<uint8_t>(base64[i])];
        wrong |= value & 0xC0;
        bits = bits << 6 | value;
        if (i % 4 != 3) continue;
        for (const unsigned shift : {16u, 8u, 0u}) text += static_cast<char>(bits >> shift & 0xFF);
        bits = 0;
    }
    text.resize(text.size() - padding);
    return wrong == 0;
}

std::optional<uint32_t> parse_rank(std::string_view digits) {
    if (digits.empty()) return std::nullopt;
    uint64_t rank = 0;
    for (const char digit : digits) {
        if (digit < '0' || digit > '9') return std::nullopt;
        rank = 10 * rank + static_cast<uint64_t>(digit - '0');
        if (rank >= UINT32_MAX) return std::nullopt;
    }
    return static_cast<uint32_t>(rank);
}

}  // namespace

RankTable parse_tiktoken(std::string_view content) {
    struct Line {
        size_t begin, size;  // of the token's bytes
        uint32_t rank;
    };
    std::vector<Line> lines;
    lines.reserve(content.size() / 17);  // of the published files, in which a line has 16.8 to 18.1 bytes
    std::string text;
    text.reserve(content.size() / 2);
    for (size_t number = 1; !content.empty(); ++number) {
        const size_t end = std::min(content.find('\n'), content.size());
        std::string_view line = content.substr(0, end);
        content.remove_prefix(std::min(end + 1, content.size()));
        const std::string_view token = take_word(line);
        if (token.empty()) continue;
        const size_t begin = text.size();
        const std::optional<uint32_t> rank = parse_rank(take_word(line));
        if (!rank || !take_word(line).empty() || !append_decoded(token, text)) {
            throw std::invalid_argument("line " + std::to_string(number) +
                                        " is damaged: it is not a base64 token, a space and a rank");
        }
        lines.push_back({begin, text.size() - begin, *rank});
    }
    std::vector<RankedToken> tokens;
    tokens.reserve(lines.size());
    for (const Line& line : lines) tokens.push_back({std::string_view(text).substr(line.begin, line.size), line.rank});
    return RankTable(std::move(tokens));
}

std::string format_tiktoken(const RankTable& tokens) {
    std::string content;
    content.reserve(tokens.text().size() * 4 / 3 + tokens.size() * 12);
    for (TokenIndex token = 0; token < tokens.size(); ++token) {
        std::string_view bytes = tokens.bytes(token);
        for (; !bytes.empty(); bytes.remove_prefix(std::min<size_t>(3, bytes.size()))) {
            const auto byte = [bytes](size_t i) { return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0u; };
            const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for (size_t i = 0; i < 4; ++i) content += i > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * i) & 0x3F];
        }
        content += ' ';
        content += std::to_string(tokens.rank(token));
        content += '\n';
    }
    return content;
}

}  // namespace nlpkit
