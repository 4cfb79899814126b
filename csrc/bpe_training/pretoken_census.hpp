// What a trainer wants to know of all pre-tokens before it lays them out.
#pragma once

#include <cstdint>
#include <vector>

#include "bpe_training/pretoken_source.hpp"

namespace nlpkit {

/// The pre-tokens of one count.
struct CountClass {
    uint64_t count;
    uint64_t pretokens;
    uint64_t slots;  // their bytes and one behind each; none for those of a single byte, which have no pair
};

struct PretokenCensus {
    std::vector<CountClass> classes;  // by falling count
    uint64_t pretokens = 0;           // unique ones, all
    uint64_t occurrences = 0;         // of all
    uint64_t text_bytes = 0;          // of all, as often as they occur
    uint64_t single_bytes = 0;        // occurrences of those of one byte
    uint64_t frequent_pair = 0;       // the places in unique pre-tokens of the byte pair that has the most
};

/// Looks at the pre-tokens that occur at least `least_count` times. Throws std::overflow_error where their text is
/// longer than 2^63 bytes.
PretokenCensus take_census(const Job& job, const PretokenSource& pretokens, uint64_t least_count);

}  // namespace nlpkit
