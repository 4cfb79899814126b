// Byte-pair encoding: learns merges from counted pre-tokens, exactly.
//
// A merge joins the pair of neighbouring symbols with the largest count; of equals the one with the smaller
// (left, right) ids. Base ids are GPT-2's byte order (33-126, 161-172, 174-255, then the rest), so ties fall
// as in Hugging Face's BpeTrainer. Counts are 64-bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "job.hpp"
#include "pretoken_counts.hpp"

namespace nlpkit {

/// Symbol 256 + i stands for the i-th merge.
struct Merge {
    uint32_t left;
    uint32_t right;
};

/// The largest number of merges that can be asked for.
inline constexpr size_t kMaxMerges = UINT32_MAX - 1024;

/// Learns up to `wanted` merges of pairs that occur at least `min_count` (>= 1) times; fewer when there are
/// no more. `job.done` counts merges. Throws std::length_error when the unique pre-tokens take 4 GiB.
std::vector<Merge> learn_merges(Job& job, const PretokenTable& pretokens, size_t wanted, int64_t min_count);

}  // namespace nlpkit
