// Arrays of floats that vector instructions may load whole: aligned to a cache line, zeroed.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "support/huge_pages.hpp"

namespace nlpkit {

class AlignedFloats {
public:
    static constexpr size_t ALIGNMENT = 64;

    explicit AlignedFloats(size_t size) : data_(allocate(size)), size_(size) {
        for (size_t i = 0; i < size; ++i) data_.get()[i] = 0;
    }

    float* data() { return data_.get(); }
    const float* data() const { return data_.get(); }
    size_t size() const { return size_; }
    float& operator[](size_t i) { return data_.get()[i]; }
    float operator[](size_t i) const { return data_.get()[i]; }

private:
    struct Free {
        void operator()(float* data) const { ::operator delete(data, std::align_val_t{ALIGNMENT}); }
    };
    /// Throws std::bad_alloc, as the operator new that throws would; AddressSanitizer's ends the process instead.
    static float* allocate(size_t size) {
        void* const data = ::operator new(size * sizeof(float), std::align_val_t{ALIGNMENT}, std::nothrow);
        if (data == nullptr) throw std::bad_alloc();
        prefer_huge_pages(data, size * sizeof(float));
        return static_cast<float*>(data);
    }

    std::unique_ptr<float, Free> data_;
    size_t size_;
};

}  // namespace nlpkit
