// What a block of centres is going to train on: windows and negatives, drawn before any row is touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/alias_table.hpp"
#include "support/counter_random.hpp"
#include "word2vec/corpus.hpp"
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

/// What every plan of an epoch is drawn from.
struct PlanSource {
    const Word2VecOptions& options;
    const KeptTokens& kept;
    const AliasTable& noise;
    CounterRandom random;  // the epoch's, addressed by position

    bool negatives_per_pair() const {
        return options.architecture == Architecture::skipgram && options.negatives == Negatives::exact;
    }
    size_t negatives_of(const PlannedCentre& planned) const {
        return options.negative * (negatives_per_pair() ? planned.contexts() : 1);
    }
};

/// The centres of one block that have a context, and their negatives one after the other.
struct BlockPlan {
    std::vector<PlannedCentre> centres;
    std::vector<uint32_t> negatives;

    /// Plans the centres among the kept tokens `begin` to `end`.
    void draw(const PlanSource& source, size_t begin, size_t end);
};

}  // namespace nlpkit
