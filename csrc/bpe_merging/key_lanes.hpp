// The smallest of the keys of a short piece, eight at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "support/cpu.hpp"

namespace nlpkit {

inline constexpr size_t kKeyLanes = 8;

#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
#define NLPKIT_KEY_LANES

using KeyLanes = uint32_t __attribute__((vector_size(kKeyLanes * sizeof(uint32_t)), may_alias));

NLPKIT_INLINE uint32_t smallest_lane(KeyLanes best) {
    KeyLanes turned = __builtin_shufflevector(best, best, 4, 5, 6, 7, 0, 1, 2, 3);
    best = turned < best ? turned : best;
    turned = __builtin_shufflevector(best, best, 2, 3, 0, 1, 6, 7, 4, 5);
    best = turned < best ? turned : best;
    turned = __builtin_shufflevector(best, best, 1, 0, 3, 2, 5, 4, 7, 6);
    best = turned < best ? turned : best;
    return best[0];
}

/// The smallest of the first `kBlocks` blocks of keys.
template <size_t kBlocks>
NLPKIT_INLINE uint32_t smallest_key(const KeyLanes* blocks) {
    KeyLanes best = blocks[0];
    for (size_t block = 1; block < kBlocks; ++block) best = blocks[block] < best ? blocks[block] : best;
    return smallest_lane(best);
}

template <size_t kBlocks>
NLPKIT_INLINE uint32_t smallest_key(const uint32_t* keys) {
    return smallest_key<kBlocks>(reinterpret_cast<const KeyLanes*>(keys));
}
#else
template <size_t kBlocks>
uint32_t smallest_key(const uint32_t* keys) {
    return *std::min_element(keys, keys + kBlocks * kKeyLanes);
}
#endif

}  // namespace nlpkit
