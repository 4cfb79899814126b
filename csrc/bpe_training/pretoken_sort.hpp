// Sorting the pre-tokens of a table by their bytes, in no memory beside their places.
#pragma once

#include <cstddef>
#include <cstdint>

#include "support/job.hpp"

namespace nlpkit {

/// Orders entries of a PretokenTable by the bytes of their pre-tokens. `entries[i]` is the index of one among
/// `words`, below 2^32; the upper half is scratch while sorting and undefined afterwards.
void sort_entries(const Job& job, const uint64_t* words, uint64_t* entries, size_t n);

}  // namespace nlpkit
