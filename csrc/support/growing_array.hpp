// An array that grows where it stands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

// AddressSanitizer watches over malloc's memory alone.
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#define NLPKIT_OWN_PAGES
#include <sys/mman.h>
#endif

namespace nlpkit {

/// A growing array of plain values, not initialised. On Linux it has pages of its own, which the kernel moves
/// without a copy as it grows, and which are given back at once as it shrinks or goes; so it takes the memory
/// that is written to and no more. (malloc keeps freed blocks, of up to 32 MB.)
template <class T>
class GrowingArray {
    static_assert(std::is_trivially_copyable_v<T>);

   public:
    GrowingArray() = default;
    GrowingArray(GrowingArray&& other) noexcept { swap(other); }
    GrowingArray& operator=(GrowingArray&& other) noexcept {
        swap(other);
        return *this;
    }
    GrowingArray(const GrowingArray&) = delete;
    GrowingArray& operator=(const GrowingArray&) = delete;
    ~GrowingArray() { resize_memory(0); }

    T* data() { return values_; }
    const T* data() const { return values_; }
    T& operator[](size_t index) { return values_[index]; }
    const T& operator[](size_t index) const { return values_[index]; }
    size_t size() const { return size_; }

    /// Appends `count` values, not initialised, and returns the index of the first.
    size_t append(size_t count) {
        if (size_ + count > capacity_) {
            resize_memory(std::max({size_ + count, capacity_ + capacity_ / 2, kPage / sizeof(T)}));
        }
        const size_t first = size_;
        size_ += count;
        return first;
    }

    /// Keeps the first `size` values and the memory behind them, for others.
    void truncate(size_t size) { size_ = size; }

    /// Keeps the first `size` values and gives the memory behind them back.
    void shrink(size_t size) {
        size_ = size;
        resize_memory(size);
    }

   private:
    static constexpr size_t kPage = 4096;

    static size_t bytes_for(size_t values) { return (values * sizeof(T) + kPage - 1) / kPage * kPage; }

    void resize_memory(size_t capacity) {
        const size_t bytes = bytes_for(capacity);
        if (bytes == bytes_for(capacity_)) return;
        values_ = static_cast<T*>(reallocate(values_, bytes_for(capacity_), bytes));
        capacity_ = bytes / sizeof(T);
    }

#if defined(NLPKIT_OWN_PAGES)
    static void* reallocate(void* old, size_t held, size_t bytes) {
        if (bytes == 0) {
            munmap(old, held);
            return nullptr;
        }
        void* const memory = held == 0 ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                       : mremap(old, held, bytes, MREMAP_MAYMOVE);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        return memory;
    }
#else
    static void* reallocate(void* old, size_t, size_t bytes) {
        if (bytes == 0) {
            std::free(old);
            return nullptr;
        }
        void* const memory = std::realloc(old, bytes);
        if (memory == nullptr) throw std::bad_alloc();
        return memory;
    }
#endif

    void swap(GrowingArray& other) noexcept {
        std::swap(values_, other.values_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    T* values_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

}  // namespace nlpkit
