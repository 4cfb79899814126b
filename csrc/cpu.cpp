#include "cpu.hpp"

namespace nlpkit {

const char* simd_level() {
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3" : "x86-64";
#elif defined(__aarch64__)
    return "neon";
#else
    return "scalar";
#endif
}

}  // namespace nlpkit
