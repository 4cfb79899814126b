#include "bpe_merging/merge_table.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>

namespace nlpkit {

namespace {

constexpr unsigned kMostDoublings = 3;  // the first size nearly always does

}  // namespace

MergeTable::MergeTable(const std::vector<KnownMerge>& pairs) {
    const size_t needed = std::max<size_t>(pairs.size() + pairs.size() / 4, 64);
    const auto least = static_cast<unsigned>(std::bit_width(needed - 1));
    for (unsigned bits = least; bits <= least + kMostDoublings; ++bits) {
        entry_shift_ = 64 - bits;
        const size_t groups = std::bit_ceil(std::max<size_t>(pairs.size() / kPairsAGroup, 2));
        group_shift_ = 64 - static_cast<unsigned>(std::countr_zero(groups));
        displacements_.assign(groups, 0);
        entries_ = Table<uint64_t>(size_t{1} << bits);
        for (size_t place = 0; place < size_t{1} << bits; ++place) entries_[place] = kEmpty;
        if (fill(pairs)) return;
    }
    throw std::invalid_argument("two tokens of the vocabulary are merged from the same pair");
}

/// Places all pairs, the largest groups first; false if some group finds no number.
bool MergeTable::fill(const std::vector<KnownMerge>& pairs) {
    std::vector<uint32_t> begins(displacements_.size() + 1, 0);
    const auto group_of = [this](const KnownMerge& pair) { return hash_of(key_of(pair.left, pair.right)) >> group_shift_; };
    for (const KnownMerge& pair : pairs) ++begins[group_of(pair) + 1];
    std::vector<uint32_t> by_size(displacements_.size());
    std::iota(by_size.begin(), by_size.end(), 0);
    std::stable_sort(by_size.begin(), by_size.end(),
                     [&](uint32_t a, uint32_t b) { return begins[a + 1] > begins[b + 1]; });
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    std::vector<uint64_t> grouped(pairs.size());
    std::vector<uint32_t> filled(begins.begin(), begins.end() - 1);
    for (const KnownMerge& pair : pairs) {
        grouped[filled[group_of(pair)]++] = key_of(pair.left, pair.right) << kIndexBits | pair.merged;
    }
    return std::all_of(by_size.begin(), by_size.end(), [&](uint32_t group) {
        return place_group(&grouped[0] + begins[group], &grouped[0] + begins[group + 1], displacements_[group]);
    });
}

bool MergeTable::place_group(const uint64_t* first, const uint64_t* last, uint8_t& displacement) {
    for (unsigned trial = 0; trial <= UINT8_MAX; ++trial) {
        const auto place = [&](uint64_t entry) { return place_of(hash_of(entry >> kIndexBits), trial); };
        const uint64_t* placed = first;
        for (; placed != last && entries_[place(*placed)] == kEmpty; ++placed) entries_[place(*placed)] = *placed;
        if (placed == last) {
            displacement = static_cast<uint8_t>(trial);
            return true;
        }
        while (placed != first) entries_[place(*--placed)] = kEmpty;
    }
    return false;
}

}  // namespace nlpkit
