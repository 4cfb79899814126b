#include "support/cpu.hpp"

namespace nlpkit {

bool has_wide_vectors() {
#if defined(NLPKIT_SIMD_WIDE)
    return __builtin_cpu_supports("x86-64-v4");
#else
    return false;
#endif
}

const char* simd_level() {
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3" : "x86-64";
#elif defined(__aarch64__)
    return "neon";
#else
    return "scalar";
#endif
}

const char* compiler() {
#if defined(__clang__)
    return __VERSION__;  // begins with "Clang" or the vendor's name
#elif defined(__GNUC__)
    return "GCC " __VERSION__;
#elif defined(_MSC_VER)
#define NLPKIT_TEXT_OF(value) #value
#define NLPKIT_TEXT(value) NLPKIT_TEXT_OF(value)
    return "MSVC " NLPKIT_TEXT(_MSC_VER);
#else
    return "unknown";
#endif
}

}  // namespace nlpkit
