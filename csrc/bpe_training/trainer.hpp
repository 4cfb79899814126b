// Byte-pair encoding: learns merges from counted pre-tokens, exactly.
//
// A merge joins the pair of neighbouring symbols with the largest count; of equals the one with the smaller
// (left, right) ids. Counts are 64-bit. Started from the 256 bytes in GPT-2's order, ties fall as in Hugging
// Face's BpeTrainer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "bpe_vocabulary/vocabulary.hpp"
#include "support/job.hpp"
#include "bpe_training/pretoken_source.hpp"

namespace nlpkit {

struct TrainingOptions {
    size_t wanted = 0;                        ///< merges
    int64_t min_count = 1;                    ///< of a pair that may be merged
    uint32_t max_token_bytes = UINT32_MAX;    ///< no merge makes a longer token
    uint64_t prune_below = 1;                 ///< pre-tokens seen fewer times are left out
    size_t max_memory = SIZE_MAX;             ///< bytes, the source's own not counted
    uint64_t narrow_slots = UINT32_MAX;       ///< up to this many bytes of unique pre-tokens, 32 bits place them
};

/// A merge of two ids; the i-th makes the id `first new id + i`.
struct Merge {
    uint32_t left;
    uint32_t right;
};

struct TrainingResult {
    std::vector<Merge> merges;
    uint64_t text_tokens = 0;  ///< that the text has after the last merge, pruned pre-tokens left out
    uint64_t text_bytes = 0;   ///< of the same text
};

/// The memory allowed is too little to train in.
struct MemoryNeeded : std::runtime_error {
    explicit MemoryNeeded(uint64_t least_) : std::runtime_error("more memory is needed"), least(least_) {}
    uint64_t least;            ///< bytes that would do
    uint64_t prune_below = 0;  ///< leaving out pre-tokens seen fewer times would do; 0 when nothing would
    uint64_t pretokens = 0;    ///< unique ones in the text
    uint64_t dropped = 0;      ///< of them that `prune_below` leaves out
    uint64_t occurrences = 0;  ///< of pre-tokens in the text
    uint64_t dropped_occurrences = 0;
};

/// Learns merges on top of the 256 bytes, ids 0 to 255 in GPT-2's order; fewer than wanted when there are no
/// more. `job.done` counts merges. Throws MemoryNeeded.
TrainingResult learn_merges(Job& job, const PretokenSource& pretokens, const TrainingOptions& options);

/// Learns further merges on top of a vocabulary. New ids count from `first_id`, above all those in use.
TrainingResult extend_merges(Job& job, const PretokenSource& pretokens, const TrainingOptions& options,
                             const BpeVocabulary& vocabulary, uint32_t first_id);

}  // namespace nlpkit
