#include "bpe_merging/merge_table.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>

namespace nlpkit {

namespace {

constexpr unsigned kMostDoublings = 3;  // the first size nearly always does

/// The numbers of groups of these sizes, the largest first; those of one size in their own order.
std::vector<uint32_t> largest_first(const std::vector<uint32_t>& sizes) {
    const uint32_t largest = *std::max_element(sizes.begin(), sizes.end());
    std::vector<uint32_t> places(size_t{largest} + 1, 0);  // by how much smaller than the largest
    for (const uint32_t size : sizes) ++places[largest - size];
    std::exclusive_scan(places.begin(), places.end(), places.begin(), uint32_t{0});
    std::vector<uint32_t> order(sizes.size());
    for (uint32_t group = 0; group < sizes.size(); ++group) order[places[largest - sizes[group]]++] = group;
    return order;
}

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
    const auto group_of = [this](const KnownMerge& pair) { return hash_of(key_of(pair.left, pair.right)) >> group_shift_; };
    std::vector<uint32_t> ends(displacements_.size(), 0);  // at first their sizes
    for (const KnownMerge& pair : pairs) ++ends[group_of(pair)];
    const std::vector<uint32_t> by_size = largest_first(ends);
    std::exclusive_scan(ends.begin(), ends.end(), ends.begin(), uint32_t{0});
    std::vector<uint64_t> grouped(pairs.size());
    for (const KnownMerge& pair : pairs) {
        grouped[ends[group_of(pair)]++] = key_of(pair.left, pair.right) << kIndexBits | pair.merged;
    }
    return std::all_of(by_size.begin(), by_size.end(), [&](uint32_t group) {
        const uint64_t* const first = grouped.data() + (group == 0 ? 0 : ends[group - 1]);
        return place_group(first, grouped.data() + ends[group], displacements_[group]);
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
