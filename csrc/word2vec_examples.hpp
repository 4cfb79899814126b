// From kept tokens to training examples: windows, negatives, merging of duplicates.
#pragma once

#include <cstddef>
#include <cstdint>

#include "alias_table.hpp"
#include "counter_random.hpp"
#include "word2vec.hpp"
#include "word2vec_corpus.hpp"
#include "word2vec_kernel.hpp"

namespace nlpkit {

/// The draws at one centre: number 0 is the window, negatives follow.
constexpr uint64_t WINDOW_DRAW = 0;
constexpr uint64_t FIRST_NEGATIVE_DRAW = 1;

/// What every example of an epoch is made from.
struct ExampleContext {
    const Word2VecOptions& options;
    const KeptTokens& kept;
    const AliasTable& noise;
    CounterRandom random;  // the epoch's, addressed by position
};

/// Asks for a row's cache lines, so that they are there one example later.
inline void prefetch_row(const float* row, size_t floats) {
#if defined(__GNUC__)
    for (size_t k = 0; k < floats; k += 16) __builtin_prefetch(row + k, 1);
#else
    (void)row, (void)floats;
#endif
}

/// Walks the centres `begin` to `end` and fills one example after the other. `Rows` finds a row's floats by
/// `float* input(row)` and `float* output(row)`.
///
/// Skip-gram's input is the context word and its target the centre, as in the 2013 C code. A negative equal to
/// the target is left out, not drawn again.
template <Architecture ARCHITECTURE, Negatives NEGATIVES, class Rows>
class ExampleSource {
public:
    ExampleSource(const ExampleContext& context, Rows& rows, size_t begin, size_t end)
        : context_(context), rows_(rows), next_centre_(begin), end_(end) {}

    /// Replaces `example` by the next one; false at the end.
    bool fill(Example& example) {
        example.clear();
        if constexpr (PER_PAIR) {
            if (pair_ == last_ && !find_centre()) return false;
            example.add_input(prefetched(rows_.input(row(pair_))));
            add_outputs(example, pairs_done_++);
            pair_ = skip_centre(pair_ + 1);
        } else {
            if (!find_centre()) return false;
            for (size_t i = pair_; i < last_; i = skip_centre(i + 1))
                example.add_input(prefetched(rows_.input(row(i))));
            add_outputs(example, 0);
        }
        return true;
    }

private:
    static constexpr bool PER_PAIR = ARCHITECTURE == Architecture::skipgram && NEGATIVES == Negatives::exact;

    uint32_t row(size_t i) const { return static_cast<uint32_t>(context_.kept.rows[i]); }
    size_t skip_centre(size_t i) const { return i == centre_ ? i + 1 : i; }

    float* prefetched(float* row) const {
        prefetch_row(row, context_.options.dim);
        return row;
    }

    /// Moves to the next centre that has a context: its words are `pair_` to `last_` but for the centre.
    bool find_centre() {
        const auto& rows = context_.kept.rows;
        while (next_centre_ < end_) {
            centre_ = next_centre_++;
            if (rows[centre_] == DOCUMENT_START) continue;
            draws_ = context_.random.child(context_.kept.positions[centre_]);
            const size_t reach = 1 + below(draws_(WINDOW_DRAW), context_.options.window);
            size_t first = centre_;
            while (first > 0 && centre_ - first < reach && rows[first - 1] != DOCUMENT_START) --first;
            last_ = centre_ + 1;
            while (last_ < rows.size() && last_ - centre_ <= reach && rows[last_] != DOCUMENT_START) ++last_;
            if (last_ - first == 1) continue;
            pair_ = skip_centre(first);
            pairs_done_ = 0;
            return true;
        }
        pair_ = last_ = 0;
        return false;
    }

    /// The centre and the negatives of the centre's `pair`-th pair.
    void add_outputs(Example& example, size_t pair) {
        const uint32_t target = row(centre_);
        example.add_output(prefetched(rows_.output(target)), 1);
        const uint32_t count = context_.options.negative;
        for (uint64_t draw = FIRST_NEGATIVE_DRAW + pair * count, n = 0; n < count; ++n) {
            const uint32_t negative = context_.noise(draws_(draw + n));
            if (negative != target) example.add_output(prefetched(rows_.output(negative)), 0);
        }
    }

    const ExampleContext& context_;
    Rows& rows_;
    size_t next_centre_, end_;
    size_t centre_ = 0, pair_ = 0, last_ = 0, pairs_done_ = 0;
    CounterRandom draws_{0};
};

}  // namespace nlpkit
