// Memory in pages of two megabytes: fewer walks of page tables, and fewer faults where it is new.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace nlpkit {

inline constexpr size_t kHugePage = size_t{2} << 20;

/// Asks for huge pages in what of [begin, begin + bytes) consists of whole ones; before the first touch.
inline void prefer_huge_pages([[maybe_unused]] void* begin, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
    const auto address = reinterpret_cast<uintptr_t>(begin);
    const uintptr_t first = (address + kHugePage - 1) / kHugePage * kHugePage;
    const uintptr_t last = (address + bytes) / kHugePage * kHugePage;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace nlpkit
