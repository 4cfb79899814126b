// A value made when it is first needed, by whichever thread comes first.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace nlpkit {

/// Without a lock, so that a fork in the middle leaves the child none that nobody opens: threads that come at the
/// same time each make the value, and one of them is kept.
template <typename T>
class MadeOnce {
   public:
    MadeOnce() = default;
    MadeOnce(MadeOnce&& other) noexcept : made_(other.made_.exchange(nullptr)), wanted_(other.wanted_.load()) {}
    MadeOnce& operator=(MadeOnce&& other) noexcept {
        delete made_.exchange(other.made_.exchange(nullptr));
        wanted_ = other.wanted_.load();
        return *this;
    }
    ~MadeOnce() { delete made_.load(); }

    /// Whether it is made, or has with these `uses` been wanted more than `most` times: for what pays only then.
    bool due(uint32_t uses, uint32_t most) const {
        return made_.load(std::memory_order_acquire) != nullptr ||
               wanted_.fetch_add(uses, std::memory_order_relaxed) + uses > most;
    }

    template <typename Make>
    const T& get(const Make& make) const {
        if (const T* made = made_.load(std::memory_order_acquire)) return *made;
        const T* const mine = new T(make());
        const T* other = nullptr;
        if (made_.compare_exchange_strong(other, mine, std::memory_order_acq_rel, std::memory_order_acquire)) return *mine;
        delete mine;
        return *other;
    }

   private:
    mutable std::atomic<const T*> made_{nullptr};
    mutable std::atomic<uint32_t> wanted_{0};
};

}  // namespace nlpkit
