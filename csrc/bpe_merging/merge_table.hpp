// (left token, right token) -> merged token, for a set of pairs known in advance: each look-up reads one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bpe_merging/pair_table.hpp"
#include "support/cpu.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

/// A pair of tokens, at least one of them longer than a byte, and the token that they make.
struct KnownMerge {
    TokenIndex left, right, merged;
};

/// A perfect hash by displacement (Belazzougui, Botelho and Dietzfelbinger 2009, "Hash, displace, and compress"):
/// pairs fall into small groups, and each group has a number, found by trial, under which its pairs have places
/// of their own. So a look-up has no branch to guess, and a failing one costs no more than another.
class MergeTable {
   public:
    explicit MergeTable(const std::vector<KnownMerge>& pairs);

    /// The token that two tokens make, or kNoToken; kNoToken makes nothing.
    NLPKIT_INLINE TokenIndex merge(TokenIndex left, TokenIndex right) const {
        const uint64_t key = key_of(left, right), hash = hash_of(key);
        const uint64_t entry = entries_[place_of(hash, displacements_[hash >> group_shift_])];
        return entry >> kIndexBits == key ? static_cast<TokenIndex>(entry & kNoToken) : kNoToken;
    }

   private:
    static constexpr uint64_t kEmpty = UINT64_MAX;  // the key of no pair
    static constexpr unsigned kPairsAGroup = 2;     // on average; more make the table smaller and its making slower

    static NLPKIT_INLINE uint64_t key_of(TokenIndex left, TokenIndex right) {
        return static_cast<uint64_t>(left) << kIndexBits | right;
    }
    static NLPKIT_INLINE uint64_t hash_of(uint64_t key) { return key * 0x9e3779b97f4a7c15u; }  // 2^64 / golden ratio
    NLPKIT_INLINE size_t place_of(uint64_t hash, uint64_t displacement) const {
        return (hash ^ displacement) * 0xd1342543de82ef95u >> entry_shift_;  // Steele and Vigna 2021, table 5
    }
    bool fill(const std::vector<KnownMerge>& pairs);
    bool place_group(const uint64_t* first, const uint64_t* last, uint8_t& displacement);

    Table<uint64_t> entries_;  // left, right, merged: kIndexBits each
    std::vector<uint8_t> displacements_;
    unsigned entry_shift_ = 0, group_shift_ = 0;
};

}  // namespace nlpkit
