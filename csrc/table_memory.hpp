// Memory of large hash tables: aligned to huge pages, so that a random look costs no walk of page tables.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace nlpkit {

inline constexpr std::align_val_t kHugePage{size_t{2} << 20};

template <typename T>
struct FreeTable {
    void operator()(T* table) const { ::operator delete(table, kHugePage); }
};

template <typename T>
using Table = std::unique_ptr<T[], FreeTable<T>>;

/// A table of `size` default-constructed trivial entries.
template <typename T>
Table<T> make_table(size_t size) {
    Table<T> table(static_cast<T*>(::operator new(size * sizeof(T), kHugePage)));
#if defined(__linux__)
    madvise(table.get(), size * sizeof(T), MADV_HUGEPAGE);  // before the first touch, or it comes too late
#endif
    std::uninitialized_default_construct_n(table.get(), size);
    std::fill_n(table.get(), size, T{});
    return table;
}

}  // namespace nlpkit
