// The pairs that a trainer keeps track of: an open-addressing table and a lazy heap over it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/cpu.hpp"
#include "support/hash.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

/// `left << 32 | right`: as a number it orders pairs by (left, right). 0 is no pair.
using PairKey = uint64_t;

NLPKIT_INLINE PairKey pair_key(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

NLPKIT_INLINE uint64_t hash_pair(PairKey key) { return fold_multiply(key ^ kHashB, kHashA); }

/// What is known of a pair: how often it occurs, and where it once occurred.
struct TrackedPair {
    int64_t count;
    uint64_t first;   // of its positions
    uint64_t number;  // of its positions
};

class PairIndex {
   public:
    PairIndex() { clear(); }

    /// The bytes of memory held, and what growing takes for a moment beside them.
    size_t memory() const { return 3 * slots_ * (sizeof(PairKey) + sizeof(TrackedPair)) / 2; }

    /// Forgets all pairs and gives their memory back.
    void clear() {
        slots_ = kFirstSlots;
        keys_ = Table<PairKey>(slots_);
        pairs_ = Table<TrackedPair>(slots_);
        size_ = 0;
    }

    /// The pair, or nullptr when it is not tracked.
    NLPKIT_INLINE TrackedPair* find(PairKey key) {
        const size_t slot = slot_of(key);
        return keys_[slot] == key ? &pairs_[slot] : nullptr;
    }

    /// The pair, tracked from now on; valid until the next call.
    TrackedPair& insert(PairKey key) {
        size_t slot = slot_of(key);
        if (keys_[slot] == key) return pairs_[slot];
        if (2 * ++size_ > slots_) {
            grow();
            slot = slot_of(key);
        }
        keys_[slot] = key;
        return pairs_[slot];
    }

    template <class Visit>
    void for_each(const Visit& visit) {
        for (size_t slot = 0; slot < slots_; ++slot) {
            if (keys_[slot] != 0) visit(keys_[slot], pairs_[slot]);
        }
    }

   private:
    static constexpr size_t kFirstSlots = 1024;

    NLPKIT_INLINE size_t slot_of(PairKey key) const {
        const size_t mask = slots_ - 1;
        size_t slot = hash_pair(key) & mask;
        while (keys_[slot] != 0 && keys_[slot] != key) slot = (slot + 1) & mask;
        return slot;
    }

    void grow() {
        const Table<PairKey> keys = std::exchange(keys_, Table<PairKey>(2 * slots_));
        const Table<TrackedPair> pairs = std::exchange(pairs_, Table<TrackedPair>(2 * slots_));
        const size_t before = std::exchange(slots_, 2 * slots_);
        for (size_t old = 0; old < before; ++old) {
            if (keys[old] == 0) continue;
            const size_t slot = slot_of(keys[old]);
            keys_[slot] = keys[old];
            pairs_[slot] = pairs[old];
        }
    }

    Table<PairKey> keys_;
    Table<TrackedPair> pairs_;  // beside the keys: most lookups end at a key
    size_t slots_ = 0;
    size_t size_ = 0;
};

/// Pairs by (count descending, left ascending, right ascending). Counts in it may be out of date (too large:
/// a pair's count only falls): the trainer compares the top with the index and pushes it back down.
class PairHeap {
   public:
    struct Entry {
        int64_t count;
        PairKey key;
    };

    /// The bytes of memory held, and what growing takes for a moment beside them.
    size_t memory() const { return 3 * entries_.capacity() * sizeof(Entry) / 2; }

    bool empty() const { return entries_.empty(); }
    const Entry& top() const { return entries_.front(); }
    void clear() { std::vector<Entry>().swap(entries_); }

    void push(Entry entry) {
        entries_.push_back(entry);
        std::push_heap(entries_.begin(), entries_.end(), after);
    }

    void pop() {
        std::pop_heap(entries_.begin(), entries_.end(), after);
        entries_.pop_back();
    }

    /// Is `a` to be merged after `b`?
    static bool after(const Entry& a, const Entry& b) {
        return a.count != b.count ? a.count < b.count : a.key > b.key;
    }

   private:
    std::vector<Entry> entries_;
};

}  // namespace nlpkit
