// Counter-based random numbers: a draw is a pure function of a key and a counter, so results depend on
// neither the order of the draws nor the thread that makes them.
#pragma once

#include <cstdint>

namespace nlpkit {

constexpr uint64_t GOLDEN_GAMMA = 0x9E3779B97F4A7C15u;

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection that scatters every bit.
inline uint64_t mix_bits(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/// A stream of random 64-bit numbers, addressed by counter; `child` makes an independent stream.
struct CounterRandom {
    uint64_t key;

    uint64_t operator()(uint64_t counter) const { return mix_bits(key + GOLDEN_GAMMA * (counter + 1)); }
    CounterRandom child(uint64_t counter) const { return {mix_bits((*this)(counter) ^ GOLDEN_GAMMA)}; }
};

/// Uniform on 0 .. bound - 1 from the upper half of a draw (bias below bound / 2^32).
inline uint32_t below(uint64_t draw, uint32_t bound) {
    return static_cast<uint32_t>(((draw >> 32) * bound) >> 32);
}

/// Uniform on [0, 1) with 24 bits.
inline float unit_interval(uint64_t draw) { return static_cast<float>(draw >> 40) * 0x1p-24f; }

}  // namespace nlpkit
