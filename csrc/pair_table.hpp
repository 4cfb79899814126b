// (left token, right token) -> the token that their bytes make together, the lookup of byte-pair merging.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu.hpp"

namespace nlpkit {

/// Tokens are numbered 0, 1, 2, ... in the order of their ranks, so the smaller index merges first.
using TokenIndex = uint32_t;
inline constexpr TokenIndex kNoToken = UINT32_MAX;

/// Indices have 21 bits, so that a table entry (left, right, merged) is one 64-bit word.
inline constexpr unsigned kIndexBits = 21;
inline constexpr size_t kMaxTokens = (size_t{1} << kIndexBits) - 1;

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
        for (size_t slot = home(key);; slot = (slot + 1) & mask_) {
            const uint64_t entry = slots_[slot];
            if (entry >> kIndexBits == key) return static_cast<TokenIndex>(entry & kMaxTokens);
            if (entry == kEmpty) return kNoToken;
        }
    }

    void insert_bytes(uint8_t left, uint8_t right, TokenIndex merged) {
        bytes_[static_cast<size_t>(left) << 8 | right] = merged;
    }

    void insert(TokenIndex left, TokenIndex right, TokenIndex merged) {
        if (2 * ++size_ > slots_.size()) grow();
        place(pack(left, right) << kIndexBits | merged);
    }

   private:
    static constexpr uint64_t kEmpty = UINT64_MAX;

    static NLPKIT_INLINE uint64_t pack(TokenIndex left, TokenIndex right) {
        return static_cast<uint64_t>(left) << kIndexBits | right;
    }

    NLPKIT_INLINE size_t home(uint64_t key) const {
        return static_cast<size_t>((key * 0x9e3779b97f4a7c15u) >> shift_);  // 2^64 / golden ratio
    }

    void allocate(unsigned bits) {
        slots_.assign(size_t{1} << bits, kEmpty);
        mask_ = slots_.size() - 1;
        shift_ = 64 - bits;
    }

    void place(uint64_t entry) {
        size_t slot = home(entry >> kIndexBits);
        while (slots_[slot] != kEmpty) slot = (slot + 1) & mask_;
        slots_[slot] = entry;
    }

    void grow() {
        const std::vector<uint64_t> old = std::move(slots_);
        allocate(65 - shift_);
        for (const uint64_t entry : old) {
            if (entry != kEmpty) place(entry);
        }
    }

    std::vector<TokenIndex> bytes_;  // 2^16: indexed by two bytes
    std::vector<uint64_t> slots_;    // left << 42 | right << 21 | merged, open addressing
    size_t mask_ = 0;
    size_t size_ = 0;
    unsigned shift_ = 0;
};

}  // namespace nlpkit
