// Hashing of short byte strings and small integer keys for the in-memory tables (never for files).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#include "support/cpu.hpp"

namespace nlpkit {

/// The two halves of a 64 x 64 bit product, folded: one multiplication mixes every bit of both.
NLPKIT_INLINE uint64_t fold_multiply(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    __extension__ using uint128 = unsigned __int128;
    const uint128 product = static_cast<uint128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#else
    uint64_t high;
    const uint64_t low = _umul128(a, b, &high);
    return low ^ high;
#endif
}

/// Odd constants with well spread bits: the fractional parts of sqrt(2), sqrt(3) and sqrt(5).
inline constexpr uint64_t kHashA = 0x6a09e667f3bcc909u;
inline constexpr uint64_t kHashB = 0xbb67ae8584caa73bu;
inline constexpr uint64_t kHashC = 0x3c6ef372fe94f82bu;

/// A 64-bit hash of a byte string of any length.
inline uint64_t hash_bytes(std::string_view bytes) {
    const char* at = bytes.data();
    size_t left = bytes.size();
    uint64_t state = kHashC ^ left;
    for (; left > 16; at += 16, left -= 16) {
        uint64_t low, high;
        std::memcpy(&low, at, 8);
        std::memcpy(&high, at + 8, 8);
        state = fold_multiply(low ^ kHashA, high ^ state);
    }
    uint64_t low = 0, high = 0;
    if (left >= 8) {
        std::memcpy(&low, at, 8);
        std::memcpy(&high, at + left - 8, 8);
    } else if (left >= 4) {
        uint32_t first, last;
        std::memcpy(&first, at, 4);
        std::memcpy(&last, at + left - 4, 4);
        low = first;
        high = last;
    } else if (left > 0) {
        low = static_cast<uint8_t>(at[0]);
        high = static_cast<uint64_t>(static_cast<uint8_t>(at[left / 2])) << 8 |
               static_cast<uint8_t>(at[left - 1]);
    }
    return fold_multiply(fold_multiply(low ^ kHashA, high ^ state), kHashB);
}

}  // namespace nlpkit
