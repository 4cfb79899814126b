// An array that grows where it stands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

namespace nlpkit {

/// A growing array of plain values, not initialised. It grows by realloc, which the operating system does for
/// large blocks by remapping pages: no copy, and no moment at which the old and the new block both take memory.
/// Pages never written take none.
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
    ~GrowingArray() { std::free(values_); }

    T* data() { return values_; }
    const T* data() const { return values_; }
    T& operator[](size_t index) { return values_[index]; }
    const T& operator[](size_t index) const { return values_[index]; }
    size_t size() const { return size_; }
    size_t capacity() const { return capacity_; }

    /// Appends `count` values, not initialised, and returns the index of the first.
    size_t append(size_t count) {
        if (size_ + count > capacity_) {
            reallocate(std::max({size_ + count, capacity_ + capacity_ / 2, 4096 / sizeof(T)}));
        }
        const size_t first = size_;
        size_ += count;
        return first;
    }

    /// Keeps the first `size` values and gives the memory behind them back.
    void shrink(size_t size) {
        size_ = size;
        reallocate(std::max<size_t>(size, 1));
    }

   private:
    void reallocate(size_t capacity) {
        void* const values = std::realloc(values_, capacity * sizeof(T));
        if (values == nullptr) throw std::bad_alloc();
        values_ = static_cast<T*>(values);
        capacity_ = capacity;
    }
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
