// All unique pre-tokens as one array of symbols that merges in place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/cpu.hpp"
#include "support/growing_array.hpp"
#include "support/job.hpp"
#include "bpe_training/pretoken_census.hpp"

namespace nlpkit {

/// In the array, symbol id + 1 stands for a symbol and 0 for the end of a pre-token.
inline constexpr uint32_t kEnd = 0;

/// The pre-tokens lie ordered by count, so that a position tells its count by a search in few runs, and each
/// is followed by kEnd; kEnd is also in front of the first. A symbol covers one or more slots and is written
/// in the first and the last of them: from the start of a symbol, the start of the next is its slots further,
/// and the symbol before can be read just in front. A slot that once was a symbol's start and now is inside
/// one holds kDead.
template <class Symbol>
class SymbolArray {
   public:
    static constexpr Symbol kDead = std::numeric_limits<Symbol>::max();

    /// Where pre-tokens of one count begin.
    struct Run {
        uint64_t begin;
        int64_t count;
    };

    /// `lengths`: the bytes of each symbol that there is to begin with, kEnd (1) included. The census holds
    /// the same pre-tokens as the source from `least_count` on. `encode(pretoken, symbols)` writes a
    /// pre-token's symbols and returns how many.
    template <class Encode>
    SymbolArray(const Job& job, const PretokenSource& pretokens, uint64_t least_count, const PretokenCensus& census,
                std::vector<uint32_t> lengths, const Encode& encode)
        : slots_of_(std::move(lengths)) {
        uint64_t slots = 1;
        for (const CountClass& of_count : census.classes) {
            runs_.push_back({slots, static_cast<int64_t>(of_count.count)});
            slots += of_count.slots;
        }
        runs_.push_back({slots, 0});
        symbols_.append(slots);
        symbols_[0] = Symbol{kEnd};
        std::vector<Run> cursors(runs_);
        std::vector<uint32_t> encoded;
        pretokens.for_each(job, [&](std::string_view pretoken, uint64_t count) {
            if (pretoken.size() < 2 || count < least_count) return;
            const auto cursor =
                std::lower_bound(cursors.begin(), cursors.end(), static_cast<int64_t>(count),
                                 [](const Run& run, int64_t value) { return run.count > value; });
            encoded.resize(pretoken.size());
            const size_t n = encode(pretoken, encoded.data());
            for (size_t i = 0; i < n; ++i) cursor->begin = put(cursor->begin, static_cast<Symbol>(encoded[i]));
            symbols_[cursor->begin++] = Symbol{kEnd};
        });
    }

    size_t size() const { return symbols_.size(); }
    NLPKIT_INLINE Symbol operator[](size_t position) const { return symbols_[position]; }
    NLPKIT_INLINE void fetch(size_t position) const { prefetch(&symbols_[position]); }

    /// The slots that a symbol covers.
    NLPKIT_INLINE uint32_t slots(Symbol symbol) const { return slots_of_[symbol]; }

    /// A new symbol, as long as two others together.
    Symbol add_symbol(Symbol left, Symbol right) {
        slots_of_.push_back(slots_of_[left] + slots_of_[right]);
        return static_cast<Symbol>(slots_of_.size() - 1);
    }

    /// Writes `merged` over `left` at `position` and the symbol behind it.
    NLPKIT_INLINE void merge(size_t position, Symbol left, Symbol merged) {
        symbols_[position + slots_of_[left]] = kDead;
        symbols_[position] = merged;
        symbols_[position + slots_of_[merged] - 1] = merged;
    }

    /// The counts of positions that are asked for in ascending order.
    class Counts {
       public:
        explicit Counts(const SymbolArray& array) : run_(array.runs_.cbegin()), end_(array.runs_.cend()) {}

        NLPKIT_INLINE int64_t at(size_t position) {
            if (position >= run_[1].begin) {
                run_ = std::upper_bound(run_ + 1, end_, position,
                                        [](size_t value, const Run& run) { return value < run.begin; }) -
                       1;
            }
            return run_->count;
        }

       private:
        typename std::vector<Run>::const_iterator run_;
        typename std::vector<Run>::const_iterator end_;
    };

    /// Gives each symbol one slot again and drops the pre-tokens that are one symbol; returns how often the
    /// dropped ones occur. Calls `visit(left, right, count)` for every pair of neighbours.
    template <class Visit>
    uint64_t pack(const Job& job, const Visit& visit) {
        uint64_t dropped = 0;
        size_t to = 1;
        size_t from = 1;
        for (size_t run = 0; run + 1 < runs_.size(); ++run) {
            const size_t end = runs_[run + 1].begin;
            runs_[run].begin = to;
            for (size_t pretokens = 0; from < end; ++pretokens) {
                if ((pretokens & 0xffff) == 0) job.check();
                if (!pack_pretoken(from, to, runs_[run].count, visit)) dropped += static_cast<uint64_t>(runs_[run].count);
            }
        }
        runs_.back().begin = to;
        symbols_.shrink(to);
        std::fill(slots_of_.begin(), slots_of_.end(), 1);
        return dropped;
    }

    /// Calls `visit(position, left, right, count)` for every two slots, in order of position, once the symbols
    /// are packed; either slot may be an end.
    template <class Visit>
    void for_each_pair(const Job& job, const Visit& visit) const {
        for (size_t run = 0; run + 1 < runs_.size(); ++run) {
            const size_t end = runs_[run + 1].begin;
            Symbol left = kEnd;
            for (size_t at = runs_[run].begin; at < end; ++at) {
                if ((at & 0xffff) == 0) job.check();
                const Symbol right = symbols_[at];
                visit(at - 1, left, right, runs_[run].count);
                left = right;
            }
        }
    }

    /// How many symbols the pre-tokens have, each as often as it occurs.
    uint64_t weighted_size(const Job& job) const {
        uint64_t total = 0;
        for (size_t run = 0; run + 1 < runs_.size(); ++run) {
            uint64_t symbols = 0;
            for (size_t at = runs_[run].begin; at < runs_[run + 1].begin; at += slots_of_[symbols_[at]]) {
                job.check();
                symbols += symbols_[at] != kEnd;
            }
            total += symbols * static_cast<uint64_t>(runs_[run].count);
        }
        return total;
    }

   private:
    size_t put(size_t position, Symbol symbol) {
        const uint32_t slots = slots_of_[symbol];
        symbols_[position] = symbol;
        symbols_[position + slots - 1] = symbol;
        return position + slots;
    }

    /// Moves one pre-token from `from` to `to`; false when it is a single symbol and was dropped.
    template <class Visit>
    NLPKIT_INLINE bool pack_pretoken(size_t& from, size_t& to, int64_t count, const Visit& visit) {
        const size_t first = to;
        Symbol left = symbols_[from];
        from += slots_of_[left];
        symbols_[to++] = left;
        for (Symbol right; (right = symbols_[from]) != kEnd; left = right) {
            visit(left, right, count);
            symbols_[to++] = right;
            from += slots_of_[right];
        }
        ++from;
        if (to == first + 1) {
            to = first;
            return false;
        }
        symbols_[to++] = Symbol{kEnd};
        return true;
    }

    GrowingArray<Symbol> symbols_;
    std::vector<Run> runs_;            // by falling count, and one at the end, where the symbols end
    std::vector<uint32_t> slots_of_;  // each symbol
};

}  // namespace nlpkit
