// (left token, right token) -> the token that their bytes make together, the lookup of byte-pair merging.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "support/cpu.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

/// Tokens are numbered 0, 1, 2, ... in the order of their ranks, so the smaller index merges first. Indices
/// have 21 bits, so that a table entry (left, right, merged) is one 64-bit word.
using TokenIndex = uint32_t;
inline constexpr unsigned kIndexBits = 21;
inline constexpr size_t kMaxTokens = (size_t{1} << kIndexBits) - 1;
inline constexpr TokenIndex kNoToken = kMaxTokens;

/// Random looks into memory are what merging waits for, and branches that go either way. So the pairs of the
/// frequent tokens have a small table of their own, four entries compared at once; and of the other pairs,
/// nearly all of which make no token, a bitmap tells most.
class PairTable {
   public:
    PairTable() : bytes_(size_t{1} << 16, kNoToken), frequent_(4 * kBuckets), filter_(kLeastFilterWords, 0) {}

    /// The token that two single bytes make, or kNoToken.
    NLPKIT_INLINE TokenIndex merge_bytes(uint8_t left, uint8_t right) const {
        return bytes_[static_cast<size_t>(left) << 8 | right];
    }

    /// The token that two tokens make, or kNoToken; at least one of them is longer than a byte.
    NLPKIT_INLINE TokenIndex merge(TokenIndex left, TokenIndex right) const {
        const uint64_t key = key_of(left, right), hash = key * kMultiplier;
        const TokenIndex merged = find_frequent(key, hash);
        return merged == kNoToken && passes(hash) ? others_.find(key, hash) : merged;
    }

    /// What a token makes with the one before and the one after it; kNoToken may stand for either.
    NLPKIT_INLINE void merge_both(TokenIndex before, TokenIndex token, TokenIndex after, TokenIndex& with_before,
                                  TokenIndex& with_after) const {
        const uint64_t left = key_of(before, token), left_hash = left * kMultiplier;
        const uint64_t right = key_of(token, after), right_hash = right * kMultiplier;
        with_before = find_frequent(left, left_hash);
        with_after = find_frequent(right, right_hash);
        const bool look_left = (with_before == kNoToken) & passes(left_hash);
        const bool look_right = (with_after == kNoToken) & passes(right_hash);
        if (look_left | look_right) {
            if (look_left) with_before = others_.find(left, left_hash);
            if (look_right) with_after = others_.find(right, right_hash);
        }
    }

    /// Makes room for the pairs of that many tokens, all at once.
    void reserve(size_t tokens) {
        const size_t others = tokens - std::min<size_t>(tokens, kFrequent);
        others_.reserve(others);
        while (others * 8 > filter_.size() * 64) {
            filter_.resize(filter_.size() * 2);
            --filter_shift_;
        }
    }

    void insert_bytes(uint8_t left, uint8_t right, TokenIndex merged) {
        bytes_[static_cast<size_t>(left) << 8 | right] = merged;
    }

    void insert(TokenIndex left, TokenIndex right, TokenIndex merged) {
        const uint64_t key = key_of(left, right), hash = key * kMultiplier;
        if (merged < kFrequent && insert_frequent(hash, key << kIndexBits | merged)) return;
        others_.insert(key, merged);
        if (++n_others_ * 8 > filter_.size() * 64) {
            filter_.assign(filter_.size() * 2, 0);
            --filter_shift_;
            others_.for_each_key([this](uint64_t other) { mark(other * kMultiplier); });
        }
        mark(hash);
    }

   private:
    static constexpr TokenIndex kFrequent = TokenIndex{1} << 14;
    static constexpr unsigned kBucketBits = 13;
    static constexpr size_t kBuckets = size_t{1} << kBucketBits;
    static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;  // 2^64 / golden ratio
    static constexpr size_t kLeastFilterWords = 1024;

    static NLPKIT_INLINE uint64_t key_of(TokenIndex left, TokenIndex right) {
        return static_cast<uint64_t>(left) << kIndexBits | right;
    }

    /// Entries are complements, so that the zeros of new memory mean empty: ~0 has kNoToken in each field.
    NLPKIT_INLINE TokenIndex find_frequent(uint64_t key, uint64_t hash) const {
        const uint64_t* bucket = &frequent_[4 * (hash >> (64 - kBucketBits))];
#if defined(__GNUC__)
        using Four = uint64_t __attribute__((vector_size(32), may_alias));
        const Four entries = ~*reinterpret_cast<const Four*>(bucket);
        const Four found = entries | reinterpret_cast<Four>(entries >> kIndexBits != key);
        return static_cast<TokenIndex>(found[0] & found[1] & found[2] & found[3] & kNoToken);
#else
        uint64_t found = kNoToken;
        for (size_t i = 0; i < 4; ++i) {
            if (~bucket[i] >> kIndexBits == key) found = ~bucket[i] & kNoToken;
        }
        return static_cast<TokenIndex>(found);
#endif
    }

    bool insert_frequent(uint64_t hash, uint64_t entry) {
        uint64_t* bucket = &frequent_[4 * (hash >> (64 - kBucketBits))];
        for (size_t i = 0; i < 4; ++i) {
            if (bucket[i] != 0) continue;
            bucket[i] = ~entry;
            return true;
        }
        return false;
    }

    NLPKIT_INLINE bool passes(uint64_t hash) const {
        const uint64_t bit = hash >> filter_shift_;
        return filter_[bit / 64] >> (bit % 64) & 1;
    }

    void mark(uint64_t hash) {
        const uint64_t bit = hash >> filter_shift_;
        filter_[bit / 64] |= uint64_t{1} << (bit % 64);
    }

    /// Open addressing with as many places as needed; entries are complements here too.
    class Slots {
       public:
        Slots() { allocate(10); }

        NLPKIT_INLINE TokenIndex find(uint64_t key, uint64_t hash) const {
            for (size_t slot = hash >> shift_;; slot = (slot + 1) & mask_) {
                const uint64_t entry = ~entries_[slot];
                if (entry >> kIndexBits == key || entry == kEmpty) return static_cast<TokenIndex>(entry & kNoToken);
            }
        }

        /// For an empty table.
        void reserve(size_t entries) {
            if (2 * entries > mask_ + 1) allocate(static_cast<unsigned>(std::bit_width(2 * entries - 1)));
        }

        void insert(uint64_t key, TokenIndex merged) {
            if (2 * ++size_ > mask_ + 1) {
                const Table<uint64_t> old = std::move(entries_);
                const size_t old_size = mask_ + 1;
                allocate(65 - shift_);
                for (size_t slot = 0; slot < old_size; ++slot) {
                    if (~old[slot] != kEmpty) place(~old[slot]);
                }
            }
            place(key << kIndexBits | merged);
        }

        template <typename Visit>
        void for_each_key(const Visit& visit) const {
            for (size_t slot = 0; slot <= mask_; ++slot) {
                if (~entries_[slot] != kEmpty) visit(~entries_[slot] >> kIndexBits);
            }
        }

       private:
        static constexpr uint64_t kEmpty = UINT64_MAX;

        void allocate(unsigned bits) {
            mask_ = (size_t{1} << bits) - 1;
            shift_ = 64 - bits;
            entries_ = Table<uint64_t>(mask_ + 1);
        }

        void place(uint64_t entry) {
            size_t slot = (entry >> kIndexBits) * kMultiplier >> shift_;
            while (~entries_[slot] != kEmpty) slot = (slot + 1) & mask_;
            entries_[slot] = ~entry;
        }

        Table<uint64_t> entries_;
        size_t mask_ = 0;
        size_t size_ = 0;
        unsigned shift_ = 0;
    };

    std::vector<TokenIndex> bytes_;  // 2^16: indexed by two bytes
    Table<uint64_t> frequent_;       // buckets of four; a pair that finds its bucket full is in others_
    std::vector<uint64_t> filter_;   // of the pairs in others_; one bit in eight is set, or fewer
    unsigned filter_shift_ = 64 - 16;
    size_t n_others_ = 0;
    Slots others_;
};

}  // namespace nlpkit
