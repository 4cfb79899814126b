// (left token, right token) -> the token that their bytes make together, the lookup of byte-pair merging.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu.hpp"
#include "table_memory.hpp"

namespace nlpkit {

/// Tokens are numbered 0, 1, 2, ... in the order of their ranks, so the smaller index merges first.
using TokenIndex = uint32_t;
inline constexpr TokenIndex kNoToken = UINT32_MAX;

/// Indices have 21 bits, so that a table entry (left, right, merged) is one 64-bit word.
inline constexpr unsigned kIndexBits = 21;
inline constexpr size_t kMaxTokens = (size_t{1} << kIndexBits) - 1;

/// Most pairs that merging asks for make no token: a bitmap small enough for the second-level cache answers
/// for nine in ten of them, the others look into the table.
class PairTable {
   public:
    /// `expected`: how many pairs will be inserted (more is fine, the table grows).
    explicit PairTable(size_t expected) : bytes_(size_t{1} << 16, kNoToken) {
        unsigned bits = 10;
        while ((size_t{1} << bits) < 2 * expected) ++bits;
        allocate(bits);
    }

    /// The token that two single bytes make.
    NLPKIT_INLINE TokenIndex merge_bytes(uint8_t left, uint8_t right) const {
        return bytes_[static_cast<size_t>(left) << 8 | right];
    }

    /// The token that two tokens make; at least one of them is longer than a byte.
    NLPKIT_INLINE TokenIndex merge(TokenIndex left, TokenIndex right) const {
        const uint64_t key = pack(left, right);
        const uint64_t hash = key * kMultiplier;
        if ((filter_[hash >> filter_shift_ >> 6] >> (hash >> filter_shift_ & 63) & 1) == 0) return kNoToken;
        for (size_t slot = hash >> shift_;; slot = (slot + 1) & mask_) {
            const uint64_t entry = slots_[slot];
            if (entry >> kIndexBits == key) return static_cast<TokenIndex>(entry & kMaxTokens);
            if (entry == kEmpty) return kNoToken;
        }
    }

    void insert_bytes(uint8_t left, uint8_t right, TokenIndex merged) {
        bytes_[static_cast<size_t>(left) << 8 | right] = merged;
    }

    void insert(TokenIndex left, TokenIndex right, TokenIndex merged) {
        if (2 * ++size_ > mask_ + 1) grow();
        place(pack(left, right) << kIndexBits | merged);
    }

   private:
    static constexpr uint64_t kEmpty = UINT64_MAX;
    static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;  // 2^64 / golden ratio
    static constexpr unsigned kFilterBits = 2;                    // log2 of filter bits a slot

    static NLPKIT_INLINE uint64_t pack(TokenIndex left, TokenIndex right) {
        return static_cast<uint64_t>(left) << kIndexBits | right;
    }

    void allocate(unsigned bits) {
        mask_ = (size_t{1} << bits) - 1;
        slots_ = make_table<uint64_t>(mask_ + 1);
        std::fill_n(slots_.get(), mask_ + 1, kEmpty);
        shift_ = 64 - bits;
        filter_shift_ = shift_ - kFilterBits;
        filter_.assign((size_t{1} << (bits + kFilterBits)) / 64, 0);
    }

    void place(uint64_t entry) {
        const uint64_t hash = (entry >> kIndexBits) * kMultiplier;
        filter_[hash >> filter_shift_ >> 6] |= uint64_t{1} << (hash >> filter_shift_ & 63);
        size_t slot = hash >> shift_;
        while (slots_[slot] != kEmpty) slot = (slot + 1) & mask_;
        slots_[slot] = entry;
    }

    void grow() {
        const Table<uint64_t> old = std::move(slots_);
        const size_t old_size = mask_ + 1;
        allocate(65 - shift_);
        for (size_t slot = 0; slot < old_size; ++slot) {
            if (old[slot] != kEmpty) place(old[slot]);
        }
    }

    std::vector<TokenIndex> bytes_;  // 2^16: indexed by two bytes
    Table<uint64_t> slots_;         // left << 42 | right << 21 | merged, open addressing
    std::vector<uint64_t> filter_;   // bits by the same hash: most pairs that make no token end here
    unsigned filter_shift_ = 0;
    size_t mask_ = 0;
    size_t size_ = 0;
    unsigned shift_ = 0;
};

}  // namespace nlpkit
