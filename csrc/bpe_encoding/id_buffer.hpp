// A growing array of token ids that is never zero-filled and can be handed over without a copy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "support/huge_pages.hpp"

namespace nlpkit {

class IdBuffer {
   public:
    struct Free {
        void operator()(uint32_t* ids) const { std::free(ids); }
    };

    size_t size() const { return size_; }
    const uint32_t* data() const { return ids_.get(); }
    uint32_t* data() { return ids_.get(); }

    /// Where to write up to `room` more ids; `advance` says how many were written.
    uint32_t* reserve(size_t room) {
        if (size_ + room > capacity_) grow(room);
        return ids_.get() + size_;
    }

    void advance(size_t count) { size_ += count; }

    /// The same, by the place after the last id written.
    void advance_to(const uint32_t* end) { size_ = static_cast<size_t>(end - ids_.get()); }

    /// Forgets the ids and keeps the memory.
    void clear() { size_ = 0; }

    void push(uint32_t id) {
        *reserve(1) = id;
        ++size_;
    }

    void append(const uint32_t* ids, size_t count) {
        std::copy_n(ids, count, reserve(count));
        size_ += count;
    }

    /// Gives the memory to the caller, who frees it with Free.
    uint32_t* release() {
        reserve(1);  // also an empty buffer hands over memory
        size_ = capacity_ = 0;
        return ids_.release();
    }

   private:
    void grow(size_t room) {
        const size_t capacity = std::max(size_ + room, capacity_ + capacity_ / 2);
        void* moved = std::realloc(ids_.get(), capacity * sizeof(uint32_t));
        if (moved == nullptr) throw std::bad_alloc();
        static_cast<void>(ids_.release());
        ids_.reset(static_cast<uint32_t*>(moved));
        capacity_ = capacity;
        prefer_huge_pages(ids_.get() + size_, (capacity_ - size_) * sizeof(uint32_t));
    }

    std::unique_ptr<uint32_t[], Free> ids_;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

}  // namespace nlpkit
