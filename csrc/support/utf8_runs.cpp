#include "support/utf8_runs.hpp"

#include <cstring>

namespace nlpkit {

namespace {

bool is_between(std::string_view bytes, size_t at, uint8_t low, uint8_t high) {
    return at < bytes.size() && static_cast<uint8_t>(bytes[at]) >= low && static_cast<uint8_t>(bytes[at]) <= high;
}

/// The length of the well-formed character at `at`, or 0.
size_t character_length(std::string_view bytes, size_t at) {
    const auto lead = static_cast<uint8_t>(bytes[at]);
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    if (lead < 0xE0) return is_between(bytes, at + 1, 0x80, 0xBF) ? 2 : 0;
    const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (!is_between(bytes, at + 1, low, high) || !is_between(bytes, at + 2, 0x80, 0xBF)) return 0;
    if (lead < 0xF0) return 3;
    return is_between(bytes, at + 3, 0x80, 0xBF) ? 4 : 0;
}

bool eight_are_ascii(std::string_view bytes, size_t at) {
    uint64_t word;
    if (at + sizeof word > bytes.size()) return false;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return (word & 0x8080808080808080u) == 0;
}

}  // namespace

std::vector<uint64_t> utf8_runs(std::string_view bytes) {
    std::vector<uint64_t> ends;
    for (size_t at = 0; at < bytes.size();) {
        while (at < bytes.size()) {
            const size_t length = eight_are_ascii(bytes, at) ? 8 : character_length(bytes, at);
            if (length == 0) break;
            at += length;
        }
        ends.push_back(at);
        if (at == bytes.size()) break;
        while (at < bytes.size() && character_length(bytes, at) == 0) ++at;
        ends.push_back(at);
    }
    return ends;
}

}  // namespace nlpkit
