// Memory of large hash tables: zeroed, and on huge pages, so that a random look costs no walk of page tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "support/cpu.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace nlpkit {

#if defined(__linux__)

/// Memory from the kernel, which gives it zeroed: tables that nothing ever touches cost nothing.
template <typename T>
class Table {
   public:
    Table() = default;

    /// `size` entries whose bytes are all zero.
    explicit Table(size_t size) : mapped_((size * sizeof(T) + kHugePage - 1) / kHugePage * kHugePage + kHugePage) {
        memory_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory_ == MAP_FAILED) throw std::bad_alloc();
        const auto address = reinterpret_cast<uintptr_t>(memory_);
        entries_ = reinterpret_cast<T*>((address + kHugePage - 1) / kHugePage * kHugePage);
        if (size * sizeof(T) >= kHugePage / 2) madvise(entries_, mapped_ - kHugePage, MADV_HUGEPAGE);  // before the first touch
    }

    ~Table() {
        if (memory_ != nullptr) munmap(memory_, mapped_);
    }

    Table(Table&& other) noexcept { swap(other); }
    Table& operator=(Table&& other) noexcept {
        Table moved(std::move(other));
        swap(moved);
        return *this;
    }

    NLPKIT_INLINE T& operator[](size_t index) { return entries_[index]; }
    NLPKIT_INLINE const T& operator[](size_t index) const { return entries_[index]; }

   private:
    static constexpr size_t kHugePage = size_t{2} << 20;

    void swap(Table& other) {
        std::swap(memory_, other.memory_);
        std::swap(mapped_, other.mapped_);
        std::swap(entries_, other.entries_);
    }

    void* memory_ = nullptr;
    size_t mapped_ = 0;
    T* entries_ = nullptr;
};

#else

/// `size` entries whose bytes are all zero, aligned to cache lines. Large blocks come zeroed from the system.
template <typename T>
class Table {
   public:
    Table() = default;
    explicit Table(size_t size) : memory_(std::calloc(size * sizeof(T) + kLine, 1)) {
        if (!memory_) throw std::bad_alloc();
        const auto address = reinterpret_cast<uintptr_t>(memory_.get());
        entries_ = reinterpret_cast<T*>((address + kLine - 1) / kLine * kLine);
    }

    NLPKIT_INLINE T& operator[](size_t index) { return entries_[index]; }
    NLPKIT_INLINE const T& operator[](size_t index) const { return entries_[index]; }

   private:
    static constexpr size_t kLine = 64;
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };
    std::unique_ptr<void, Free> memory_;
    T* entries_ = nullptr;
};

#endif

}  // namespace nlpkit
