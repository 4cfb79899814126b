// A 128-bit checksum of bytes in files that only this program reads, several gigabytes a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "support/hash.hpp"

namespace nlpkit {

using Checksum = std::array<uint64_t, 2>;

/// Tells damage: bits that changed, parts that are missing or from another file. No cryptography: whoever can
/// write the bytes can write a checksum that fits them.
inline Checksum checksum_of(std::string_view bytes) {
    Checksum state{kHashA ^ bytes.size(), kHashB};
    const auto mix = [&state](const char* block) {
        uint64_t words[4];
        std::memcpy(words, block, sizeof words);
        state[0] = fold_multiply(words[0] ^ kHashB, words[1] ^ state[0]) ^ words[2];
        state[1] = fold_multiply(words[2] ^ kHashC, words[3] ^ state[1]) ^ words[0];
    };
    for (; bytes.size() >= 32; bytes.remove_prefix(32)) mix(bytes.data());
    char last[32] = {};
    if (!bytes.empty()) std::memcpy(last, bytes.data(), bytes.size());
    mix(last);
    return {fold_multiply(state[0] ^ kHashA, state[1] ^ kHashC), fold_multiply(state[1] ^ kHashA, state[0] ^ kHashB)};
}

}  // namespace nlpkit
