// What this processor offers, and the attribute that compiles a hot function once a level.
#pragma once

#include <cstddef>

// One copy of the function for AVX2/BMI/FMA machines and one for the baseline, chosen at load time.
// Put it on the outer hot function; helpers that must follow along are NLPKIT_INLINE.
// musl has no ifunc and arm64's baseline already has NEON: there it expands to nothing.
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && \
    !defined(__SANITIZE_ADDRESS__)
#define NLPKIT_SIMD __attribute__((target_clones("arch=x86-64-v3", "default")))
// And one for AVX-512, where the compiler finds use for it: products of 64-bit numbers, several at a time.
#define NLPKIT_SIMD_LEVELS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define NLPKIT_SIMD
#define NLPKIT_SIMD_LEVELS
#endif

// A function that `has_wide_vectors` must allow: 64-byte vectors and 32 registers. A kernel whose loops are written
// for either width has both and chooses; target_clones cannot do it, since the width is in the types.
#if defined(__x86_64__) && defined(__GNUC__)
#define NLPKIT_SIMD_WIDE __attribute__((target("arch=x86-64-v4")))
#endif

#if defined(__GNUC__)
#define NLPKIT_INLINE inline __attribute__((always_inline))
#else
#define NLPKIT_INLINE inline
#endif

namespace nlpkit {

/// Bytes; where lines are longer, each is asked for more than once, which costs little.
inline constexpr size_t kCacheLine = 64;

/// Asks for the cache line at `address`, which need not be valid.
NLPKIT_INLINE void prefetch([[maybe_unused]] const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#endif
}

/// "x86-64-v3" (AVX2, BMI2, FMA), "x86-64", "neon" or "scalar": the level that the kernels run at here.
const char* simd_level();

/// Whether NLPKIT_SIMD_WIDE functions may run here (AVX-512).
bool has_wide_vectors();

/// The compiler that built this, as "GCC 12.2.0".
const char* compiler();

}  // namespace nlpkit
