#include "bpe_training/pretoken_census.hpp"

#include <algorithm>
#include <stdexcept>
#include <unordered_map>

namespace nlpkit {

namespace {

/// Counts below this are looked up in an array: nearly all pre-tokens have one.
constexpr uint64_t kSmallCount = 1 << 12;

/// Of text: so pairs, of which it has fewer than bytes, can be counted in int64_t.
constexpr uint64_t kMostBytes = INT64_MAX;

}  // namespace

PretokenCensus take_census(const Job& job, const PretokenSource& pretokens, uint64_t least_count) {
    PretokenCensus census;
    std::vector<CountClass> small(kSmallCount);
    std::unordered_map<uint64_t, CountClass> large;
    std::vector<uint64_t> pairs(size_t{1} << 16);
    pretokens.for_each(job, [&](std::string_view pretoken, uint64_t count) {
        if (count < least_count) return;
        if (count > (kMostBytes - census.text_bytes) / std::max<size_t>(pretoken.size(), 1)) {
            throw std::overflow_error("the counted text is longer than 2^63 bytes");
        }
        ++census.pretokens;
        census.occurrences += count;
        census.text_bytes += count * pretoken.size();
        CountClass& of_count = count < kSmallCount ? small[count] : large[count];
        of_count.count = count;
        ++of_count.pretokens;
        if (pretoken.size() < 2) {
            census.single_bytes += count;
            return;
        }
        of_count.slots += pretoken.size() + 1;
        for (size_t i = 1; i < pretoken.size(); ++i) {
            ++pairs[static_cast<size_t>(static_cast<uint8_t>(pretoken[i - 1])) << 8 |
                    static_cast<uint8_t>(pretoken[i])];
        }
    });
    census.frequent_pair = *std::max_element(pairs.begin(), pairs.end());
    for (const CountClass& of_count : small) {
        if (of_count.pretokens > 0) census.classes.push_back(of_count);
    }
    for (const auto& [count, of_count] : large) census.classes.push_back(of_count);
    std::sort(census.classes.begin(), census.classes.end(),
              [](const CountClass& a, const CountClass& b) { return a.count > b.count; });
    return census;
}

}  // namespace nlpkit
