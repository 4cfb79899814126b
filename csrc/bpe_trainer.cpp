#include "bpe_trainer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "growing_array.hpp"
#include "pair_index.hpp"

namespace nlpkit {

namespace {

/// In the flat array of symbols, symbol id + 1 stands for the symbol and 0 for the end of a pre-token.
constexpr uint32_t kEnd = 0;
constexpr size_t kBytes = 256;

/// The id of each byte: GPT-2's order puts the printable bytes of Latin-1 first (openai/gpt-2, encoder.py).
std::array<uint32_t, kBytes> byte_ids() {
    const auto printable = [](size_t byte) {
        return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    };
    std::array<uint32_t, kBytes> ids{};
    uint32_t id = 0;
    for (size_t byte = 0; byte < kBytes; ++byte) {
        if (printable(byte)) ids[byte] = id++;
    }
    for (size_t byte = 0; byte < kBytes; ++byte) {
        if (!printable(byte)) ids[byte] = id++;
    }
    return ids;
}

/// Where pre-tokens of one count begin in the array of symbols, most frequent first.
struct Run {
    uint64_t begin;
    int64_t count;
};

/// The state of training.
///
/// All unique pre-tokens lie in one array, a slot a byte, ordered by count (so that a position tells its
/// count by a search in few runs) and each followed by kEnd. A symbol covers one or more slots and is written
/// in the first and the last of them: from the start of a symbol, the start of the next is its slots further
/// and the symbol before can be read just in front. A slot that once was a symbol's start and is inside one
/// now holds kDead.
///
/// A pair of symbols first becomes neighbours in the merge that makes the younger of the two. So its count
/// and its positions are complete after that merge, the positions are in ascending order, and from then on
/// its count only falls. This is why positions are written once into one growing array, and why a pair
/// whose count is below what can still be chosen need not be tracked at all. What can still be chosen is
/// guessed (`floor_`); when no pair above the floor is left, the symbols are packed (again a slot a symbol,
/// without the pre-tokens that are one symbol by now) and the pairs above a lower floor are collected from
/// them. That costs three scans and keeps the result exact.
template <class Symbol>
class Trainer {
   public:
    Trainer(Job& job, const PretokenTable& pretokens, size_t wanted, int64_t min_count)
        : job_(job), wanted_(wanted), min_count_(min_count), neighbours_(kBytes + wanted + 1) {
        slots_.assign(kBytes + 1, 1);
        slots_.reserve(kBytes + wanted + 1);
        merges_.reserve(wanted);
        lay_out(pretokens);
    }

    std::vector<Merge> run() {
        int64_t below = std::numeric_limits<int64_t>::max();  // every pair's count is below this
        while (merges_.size() < wanted_ && below > min_count_) {
            collect_pairs(below);
            while (merges_.size() < wanted_ && merge_next()) job_.check();
            below = floor_;
        }
        return std::move(merges_);
    }

   private:
    static constexpr Symbol kDead = std::numeric_limits<Symbol>::max();
    static constexpr uint32_t kUntracked = UINT32_MAX;
    /// Buckets of the counts by hash, for leaving out pairs below the floor before they enter the index.
    static constexpr unsigned kSketchBits = 20;
    /// The floor falls at most by this factor at once: lower, and the first positions take more memory; higher,
    /// and the symbols are read more often (measured on 44 MB of mixed text and on 20 MB of Chinese).
    static constexpr double kSmallestStep = 1.0 / 256;
    /// How many places ahead symbols are fetched.
    static constexpr size_t kAhead = 16;

    /// What one merge has found of the pairs (symbol, new) or (new, symbol).
    struct Neighbour {
        int64_t count = 0;
        uint64_t cursor = 0;
        uint32_t number = 0;
    };
    struct Sides {
        Neighbour left;
        Neighbour right;
    };
    /// One place where the pair was merged.
    struct Site {
        uint32_t position;
        Symbol before;
        Symbol after;
    };

    void lay_out(const PretokenTable& pretokens);
    std::vector<int64_t> pack();
    void collect_pairs(int64_t below);
    template <class Visit>
    void for_each_candidate(const std::vector<bool>& frequent, const Visit& visit) const;
    int64_t choose_floor(int64_t largest, int64_t below) const;
    bool merge_next();
    void merge(PairKey key, const TrackedPair& pair);
    void replace(PairKey key, const TrackedPair& pair, Symbol merged);
    void count_neighbours(PairKey key, Symbol merged);
    void track(Neighbour& side, PairKey key, int64_t count);
    void write_positions();
    void lower(PairKey key, int64_t by);

    static NLPKIT_INLINE size_t bucket(Symbol left, Symbol right) {
        // Cheaper than a good hash, and the pairs of one left symbol lie together.
        return (uint32_t{left} * 40503u + right) & ((1u << kSketchBits) - 1);
    }

    Job& job_;
    size_t wanted_;
    int64_t min_count_;
    int64_t floor_ = 0;
    GrowingArray<Symbol> symbols_;
    std::vector<Run> runs_;        // and one at the end, where the symbols end
    std::vector<uint32_t> slots_;  // that each symbol covers; one for kEnd
    GrowingArray<uint32_t> positions_;
    PairIndex index_;
    PairHeap heap_;
    std::vector<Merge> merges_;
    // Working memory of one merge.
    std::vector<Site> sites_;
    std::vector<Sides> neighbours_;
    std::vector<Symbol> before_, after_;
};

template <class Symbol>
void Trainer<Symbol>::lay_out(const PretokenTable& pretokens) {
    // Counting sort by count, descending. A pre-token of one byte has no pair and is left out.
    std::vector<std::pair<uint64_t, uint64_t>> sizes;  // count -> slots
    constexpr uint64_t kSmall = 1 << 16;
    std::vector<uint64_t> small(kSmall);
    pretokens.for_each([&](std::string_view pretoken, uint64_t count) {
        if (pretoken.size() < 2) return;
        if (count < kSmall) {
            small[count] += pretoken.size() + 1;
        } else {
            sizes.emplace_back(count, pretoken.size() + 1);
        }
    });
    for (uint64_t count = 0; count < kSmall; ++count) {
        if (small[count] > 0) sizes.emplace_back(count, small[count]);
    }
    std::sort(sizes.begin(), sizes.end(), std::greater<>());
    uint64_t slots = 1;  // slot 0 is the end before the first pre-token
    for (const auto& [count, size] : sizes) {
        if (runs_.empty() || runs_.back().count != static_cast<int64_t>(count)) {
            runs_.push_back({slots, static_cast<int64_t>(count)});
        }
        slots += size;
    }
    if (slots > UINT32_MAX) throw std::length_error("the unique pre-tokens take more than 4 GiB");
    runs_.push_back({slots, 0});

    symbols_.append(slots);
    symbols_[0] = kEnd;
    std::vector<Run> cursors(runs_);
    const auto ids = byte_ids();
    pretokens.for_each([&](std::string_view pretoken, uint64_t count) {
        if (pretoken.size() < 2) return;
        auto cursor = std::lower_bound(cursors.begin(), cursors.end(), static_cast<int64_t>(count),
                                       [](const Run& run, int64_t value) { return run.count > value; });
        for (const char byte : pretoken) {
            symbols_[cursor->begin++] = static_cast<Symbol>(ids[static_cast<uint8_t>(byte)] + 1);
        }
        symbols_[cursor->begin++] = kEnd;
    });
}

/// Gives each symbol one slot again and drops the pre-tokens that are one symbol; returns upper bounds on the
/// counts of pairs, by hash.
template <class Symbol>
std::vector<int64_t> Trainer<Symbol>::pack() {
    std::vector<int64_t> sketch(size_t{1} << kSketchBits);
    size_t to = 1;
    size_t from = 1;
    for (size_t run = 0; run + 1 < runs_.size(); ++run) {
        const int64_t count = runs_[run].count;
        const size_t end = runs_[run + 1].begin;
        runs_[run].begin = to;
        while (from < end) {
            if ((from & 0xfff) < 8) job_.check();
            const size_t first = to;
            Symbol left = symbols_[from];
            from += slots_[left];
            symbols_[to++] = left;
            for (Symbol right; (right = symbols_[from]) != kEnd; left = right) {
                sketch[bucket(left, right)] += count;
                symbols_[to++] = right;
                from += slots_[right];
            }
            ++from;
            if (to == first + 1) {
                to = first;
            } else {
                symbols_[to++] = kEnd;
            }
        }
    }
    runs_.back().begin = to;
    symbols_.shrink(to);
    slots_.assign(slots_.size(), 1);
    return sketch;
}

/// Calls `visit(position, key, count)` for every pair in a frequent bucket, in order of position; the symbols
/// are packed.
template <class Symbol>
template <class Visit>
void Trainer<Symbol>::for_each_candidate(const std::vector<bool>& frequent, const Visit& visit) const {
    for (size_t run = 0; run + 1 < runs_.size(); ++run) {
        const size_t end = runs_[run + 1].begin;
        Symbol left = kEnd;
        for (size_t at = runs_[run].begin; at < end; ++at) {
            if ((at & 0xffff) == 0) job_.check();
            const Symbol right = symbols_[at];
            if (frequent[bucket(left, right)]) visit(at - 1, pair_key(left, right), runs_[run].count);
            left = right;
        }
    }
}

/// Lowers the floor and tracks every pair from there to `below`.
template <class Symbol>
void Trainer<Symbol>::collect_pairs(int64_t below) {
    index_.clear();
    heap_.clear();
    positions_.shrink(0);
    std::vector<bool> frequent(size_t{1} << kSketchBits);
    {
        const std::vector<int64_t> sketch = pack();
        floor_ = choose_floor(*std::max_element(sketch.begin(), sketch.end()), below);
        for (size_t i = 0; i < sketch.size(); ++i) frequent[i] = sketch[i] >= floor_;
    }
    for_each_candidate(frequent, [&](size_t, PairKey key, int64_t count) {
        if (key >> 32 == kEnd || (key & UINT32_MAX) == kEnd) return;
        TrackedPair& pair = index_.insert(key);
        pair.count += count;
        ++pair.number;
    });
    size_t total = 0;
    index_.for_each([&](PairKey key, TrackedPair& pair) {
        if (pair.count < floor_) {
            pair.number = kUntracked;
            return;
        }
        pair.first = total;
        total += pair.number;
        pair.number = 0;
        heap_.push({pair.count, key});
    });
    positions_.append(total);
    for_each_candidate(frequent, [&](size_t position, PairKey key, int64_t) {
        if (key >> 32 == kEnd || (key & UINT32_MAX) == kEnd) return;
        TrackedPair* const pair = index_.find(key);
        if (pair->number != kUntracked) positions_[pair->first + pair->number++] = static_cast<uint32_t>(position);
    });
}

/// The count that the last wanted merge may have: the counts of successive merges fall about as 1 / rank.
template <class Symbol>
int64_t Trainer<Symbol>::choose_floor(int64_t largest, int64_t below) const {
    const int64_t from = std::min(largest, below - 1);
    const double share = static_cast<double>(merges_.size() + 1) / static_cast<double>(wanted_);
    const auto guess = static_cast<int64_t>(static_cast<double>(from) * std::max(0.7 * share, kSmallestStep));
    return std::clamp<int64_t>(guess, min_count_, std::max(min_count_, from));
}

/// Makes the best merge; false when no tracked pair is left.
template <class Symbol>
bool Trainer<Symbol>::merge_next() {
    while (!heap_.empty()) {
        const PairHeap::Entry top = heap_.top();
        heap_.pop();
        TrackedPair* const pair = index_.find(top.key);
        if (pair->count == top.count) {
            merge(top.key, TrackedPair(*pair));
            return true;
        }
        if (pair->count >= floor_) heap_.push({pair->count, top.key});
    }
    return false;
}

template <class Symbol>
void Trainer<Symbol>::merge(PairKey key, const TrackedPair& pair) {
    const auto left = static_cast<uint32_t>(key >> 32);
    const auto right = static_cast<uint32_t>(key);
    const auto merged = static_cast<Symbol>(slots_.size());
    merges_.push_back({left - 1, right - 1});
    job_.done = merges_.size();
    slots_.push_back(slots_[left] + slots_[right]);
    replace(key, pair, merged);
    count_neighbours(key, merged);
    write_positions();
    for (const Symbol symbol : before_) neighbours_[symbol].left = {};
    for (const Symbol symbol : after_) neighbours_[symbol].right = {};
}

/// Replaces the pair by `merged` wherever it still stands, left to right, and sums up the symbols beside.
template <class Symbol>
void Trainer<Symbol>::replace(PairKey key, const TrackedPair& pair, Symbol merged) {
    const auto left = static_cast<Symbol>(key >> 32);
    const auto right = static_cast<Symbol>(key & UINT32_MAX);
    const uint32_t left_slots = slots_[left];
    const uint32_t slots = slots_[merged];
    sites_.clear();
    before_.clear();
    after_.clear();
    auto run = runs_.cbegin();
    const uint32_t* const positions = positions_.data() + pair.first;
    for (size_t i = 0; i < pair.number; ++i) {
        const size_t position = positions[i];
        if (i + kAhead < pair.number) prefetch(&symbols_[positions[i + kAhead]]);
        if (symbols_[position] != left || symbols_[position + left_slots] != right) continue;
        if (position >= run[1].begin) {
            run = std::upper_bound(run + 1, runs_.cend(), position,
                                   [](size_t value, const Run& other) { return value < other.begin; }) - 1;
        }
        const Symbol before = symbols_[position - 1];
        const Symbol after = symbols_[position + slots];
        symbols_[position + left_slots] = kDead;
        symbols_[position] = merged;
        symbols_[position + slots - 1] = merged;
        Neighbour& on_left = neighbours_[before].left;
        if (on_left.number++ == 0) before_.push_back(before);
        on_left.count += run->count;
        Neighbour& on_right = neighbours_[after].right;
        if (on_right.number++ == 0) after_.push_back(after);
        on_right.count += run->count;
        sites_.push_back({static_cast<uint32_t>(position), before, after});
    }
}

/// Takes the counts of the pairs that the merge broke up down, and tracks the frequent ones that it made.
template <class Symbol>
void Trainer<Symbol>::count_neighbours(PairKey key, Symbol merged) {
    const auto left = static_cast<uint32_t>(key >> 32);
    const auto right = static_cast<uint32_t>(key);
    // In "abab" the first merge makes (new, a), which the second one turns into (new, new).
    const int64_t remade = neighbours_[merged].left.count;
    for (const Symbol before : before_) {
        Neighbour& side = neighbours_[before].left;
        side.cursor = UINT64_MAX;
        if (before == kEnd) continue;
        if (before != merged) lower(pair_key(before, left), side.count);
        track(side, pair_key(before, merged), side.count);
    }
    for (const Symbol after : after_) {
        Neighbour& side = neighbours_[after].right;
        side.cursor = UINT64_MAX;
        if (after == kEnd) continue;
        lower(pair_key(right, after), side.count);
        track(side, pair_key(merged, after), side.count - (after == left ? remade : 0));
    }
}

template <class Symbol>
void Trainer<Symbol>::lower(PairKey key, int64_t by) {
    if (TrackedPair* const pair = index_.find(key)) pair->count -= by;
}

template <class Symbol>
void Trainer<Symbol>::track(Neighbour& side, PairKey key, int64_t count) {
    if (count < floor_) return;
    side.cursor = positions_.append(side.number);
    TrackedPair& pair = index_.insert(key);
    pair.count = count;
    pair.first = side.cursor;
    pair.number = side.number;
    heap_.push({count, key});
}

template <class Symbol>
void Trainer<Symbol>::write_positions() {
    for (const Site& site : sites_) {
        Neighbour& on_left = neighbours_[site.before].left;
        if (on_left.cursor != UINT64_MAX) positions_[on_left.cursor++] = site.position - slots_[site.before];
        Neighbour& on_right = neighbours_[site.after].right;
        if (on_right.cursor != UINT64_MAX) positions_[on_right.cursor++] = site.position;
    }
}

}  // namespace

std::vector<Merge> learn_merges(Job& job, const PretokenTable& pretokens, size_t wanted, int64_t min_count) {
    job.total = wanted;
    if (kBytes + wanted + 2 <= std::numeric_limits<uint16_t>::max()) {
        return Trainer<uint16_t>(job, pretokens, wanted, min_count).run();
    }
    return Trainer<uint32_t>(job, pretokens, wanted, min_count).run();
}

}  // namespace nlpkit
