// What a block of centres is going to train on: windows and negatives, drawn before any row is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/counter_random.hpp"
#include "word2vec/corpus.hpp"
#include "word2vec/huffman.hpp"
#include "word2vec/noise.hpp"
#include "word2vec/options.hpp"

namespace nlpkit {

/// The draws at one centre: number 0 is the window, the negatives follow, for each context in turn if exact.
constexpr uint64_t WINDOW_DRAW = 0;
constexpr uint64_t FIRST_NEGATIVE_DRAW = 1;

/// A centre and its contexts: the kept tokens `first` to `last` but for the centre itself.
struct PlannedCentre {
    size_t centre;
    size_t first;
    size_t last;

    size_t contexts() const { return last - first - 1; }
};

/// What every plan of an epoch is drawn from. Of `noise` and `tree` there is the one that the objective needs.
struct PlanSource {
    const Word2VecOptions& options;
    const KeptTokens& kept;
    const Noise* noise;
    const HuffmanTree* tree;
    CounterRandom random;  // the epoch's, addressed by position

    size_t negatives_of(const PlannedCentre& planned) const {
        if (options.hierarchical()) return 0;
        return options.negative * (options.steps_per_pair() ? planned.contexts() : 1);
    }
    size_t slices() const { return noise == nullptr ? 1 : noise->slices(); }
    /// The most outputs that one input is scored against.
    size_t most_outputs() const {
        return options.hierarchical() ? tree->longest_path() : 1 + size_t{options.negative};
    }
    std::span<const PathStep> path(size_t centre) const { return tree->path(static_cast<size_t>(kept.rows[centre])); }
};

/// The centres of one block that have a context, and their negatives one after the other.
struct BlockPlan {
    std::vector<PlannedCentre> centres;
    std::vector<uint32_t> negatives;

    /// Plans the centres among the kept tokens `begin` to `end`, with negatives from one slice of the noise.
    void draw(const PlanSource& source, size_t begin, size_t end, size_t slice);
};

}  // namespace nlpkit
