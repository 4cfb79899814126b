#include "bpe_training/trainer.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "bpe_training/pair_index.hpp"
#include "bpe_training/pretoken_census.hpp"
#include "bpe_training/symbol_array.hpp"
#include "support/growing_array.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

namespace {

constexpr size_t kBytes = 256;
/// Pairs are first counted by hash, to leave out those below the floor before they enter the index.
constexpr unsigned kSketchBits = 20, kLeastSketchBits = 14;
/// The floor falls at most by this factor at once: lower, and the first positions take more memory; higher,
/// and the symbols are read more often (measured on 44 MB of mixed text and on 20 MB of Chinese).
constexpr double kSmallestStep = 1.0 / 256;
/// The most that a pair takes in the index: its slots are a power of two, at least twice the pairs, and half as
/// many again while it grows.
constexpr size_t kPairMemory = 6 * (sizeof(PairKey) + sizeof(TrackedPair));
/// How many places ahead symbols are fetched.
constexpr size_t kAhead = 16;

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

/// The smallest value from `low` to `high` that `good` holds for, given that it does for `high` and for all
/// values above a good one.
template <class Integer, class Good>
Integer bisect(Integer low, Integer high, const Good& good) {
    while (low < high) {
        const Integer middle = low + (high - low) / 2;
        if (good(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/// The state of training.
///
/// A pair of symbols first becomes neighbours in the merge that makes the younger of the two. So its count
/// and its positions are complete after that merge, the positions are in ascending order, and from then on
/// its count only falls. This is why positions are written once into one growing array, and why a pair
/// that comes after all that can still be chosen need not be tracked at all. What can still be chosen is
/// guessed (`floor_`). When no pair down to the floor is left, or the tracked ones outgrow the memory allowed,
/// a new phase begins: the symbols are packed and the pairs down to a lower floor are collected from them.
/// That costs three scans and keeps the result exact.
///
/// `Position` is as wide as the number of slots wants it.
template <class Symbol, class Position>
class Trainer {
   public:
    Trainer(Job& job, SymbolArray<Symbol> symbols, uint32_t first_id, uint64_t single_bytes, size_t memory,
            const TrainingOptions& options)
        : job_(job),
          options_(options),
          memory_(memory),
          symbols_(std::move(symbols)),
          tokens_(single_bytes),
          neighbours_(first_id + 1 + options.wanted) {
        bytes_of_.reserve(neighbours_.size());
        for (uint32_t symbol = 0; symbol <= first_id; ++symbol) {
            bytes_of_.push_back(symbols_.slots(static_cast<Symbol>(symbol)));
        }
    }

    TrainingResult run() {
        PairHeap::Entry above{std::numeric_limits<int64_t>::max(), kLastKey};  // no pair left comes before it
        while (merges_.size() < options_.wanted && highest_after(above) >= options_.min_count) {
            collect_pairs(above);
            above = merge_tracked();
        }
        return {std::move(merges_), tokens_ + symbols_.weighted_size(job_), 0};
    }

   private:
    static constexpr uint64_t kUntracked = UINT64_MAX;

    /// What one merge has found of the pairs (symbol, new) or (new, symbol).
    struct Neighbour {
        int64_t count = 0;
        uint64_t cursor = 0;
        uint64_t number = 0;
    };
    struct Sides {
        Neighbour left;
        Neighbour right;
    };
    /// One place where the pair was merged.
    struct Site {
        Position position;
        Symbol before;
        Symbol after;
    };

    /// A pair that may become a tracked one.
    struct Candidate {
        PairHeap::Entry entry;
        uint64_t number;  // of its positions
    };

    using Bound = PairHeap::Entry;
    static constexpr PairKey kLastKey = UINT64_MAX;

    void collect_pairs(Bound above);
    Table<int64_t> sketch_counts();
    int64_t guess_floor(int64_t highest) const;
    std::vector<bool> frequent_buckets(Bound above);
    bool count_pairs(const std::vector<bool>& frequent, size_t part, size_t parts);
    void choose_pairs(const std::vector<bool>& frequent);
    void keep_best(std::vector<Candidate>& pairs, size_t most);
    bool fits(Bound floor);
    void fit_floor();
    void locate_pairs(const std::vector<bool>& frequent);
    template <class Visit>
    void for_each_candidate(const std::vector<bool>& frequent, const Visit& visit) const;
    Bound merge_tracked();
    void merge(PairKey key, const TrackedPair& pair);
    void replace(PairKey key, const TrackedPair& pair, Symbol merged);
    void count_neighbours(PairKey key, Symbol merged);
    void track(Neighbour& side, PairKey key, int64_t count);
    void write_positions();
    void lower(PairKey key, int64_t by);

    /// The largest count that a pair after `bound` can have.
    static int64_t highest_after(Bound bound) { return bound.key == kLastKey ? bound.count - 1 : bound.count; }
    /// Does a pair come before `floor` or at it?
    static bool reaches(int64_t count, PairKey key, Bound floor) {
        return count > floor.count || (count == floor.count && key <= floor.key);
    }
    size_t bucket(Symbol left, Symbol right) const {
        // Cheaper than a good hash, and the pairs of one left symbol lie together.
        return (uint32_t{left} * 40503u + right) & sketch_mask_;
    }
    bool allowed(PairKey key) const {
        return options_.max_token_bytes == UINT32_MAX ||
               uint64_t{bytes_of_[key >> 32]} + bytes_of_[key & UINT32_MAX] <= options_.max_token_bytes;
    }
    size_t memory_in_use() const {
        return positions_.size() * sizeof(Position) + index_.memory() + heap_.memory() +
               most_sites_ * sizeof(Site);
    }
    /// What a merge of that many places may add.
    static size_t memory_of_merge(size_t places) { return places * (2 * sizeof(Position) + sizeof(Site)); }

    Job& job_;
    TrainingOptions options_;
    size_t memory_;  // for all that belongs to tracked pairs
    SymbolArray<Symbol> symbols_;
    uint64_t tokens_;                 // of pre-tokens no longer among the symbols
    std::vector<uint32_t> bytes_of_;  // each symbol
    std::vector<Merge> merges_;
    Bound floor_{0, kLastKey};  // the last pair that is tracked, if there is one there
    size_t sketch_mask_ = 0;
    GrowingArray<Position> positions_;
    PairIndex index_;
    PairHeap heap_;
    // Working memory of one merge.
    GrowingArray<Site> sites_;
    size_t most_sites_ = 0;  // that were in `sites_` at once
    std::vector<Sides> neighbours_;
    std::vector<Symbol> before_, after_;
};

/// Begins a phase: lowers the floor and tracks every pair from there up.
template <class Symbol, class Position>
void Trainer<Symbol, Position>::collect_pairs(Bound above) {
    index_.clear();
    heap_.clear();
    positions_.shrink(0);
    sites_.shrink(0);
    most_sites_ = 0;
    const std::vector<bool> frequent = frequent_buckets(above);
    if (!count_pairs(frequent, 0, 1)) choose_pairs(frequent);
    fit_floor();
    locate_pairs(frequent);
}

/// Guesses the floor; returns which buckets can hold a pair that reaches it.
template <class Symbol, class Position>
std::vector<bool> Trainer<Symbol, Position>::frequent_buckets(Bound above) {
    const Table<int64_t> sketch = sketch_counts();
    const size_t buckets = sketch_mask_ + 1;
    const int64_t highest = std::min(*std::max_element(&sketch[0], &sketch[buckets]), highest_after(above));
    floor_ = {std::max(options_.min_count, guess_floor(highest)), kLastKey};
    std::vector<bool> frequent(buckets);
    for (size_t i = 0; i < buckets; ++i) frequent[i] = sketch[i] >= floor_.count;
    return frequent;
}

/// Counts the candidates a part of them at a time; enters the best into the index and raises the floor to the
/// last of them.
template <class Symbol, class Position>
void Trainer<Symbol, Position>::choose_pairs(const std::vector<bool>& frequent) {
    const size_t most = std::max<size_t>(1, memory_ / 3 / kPairMemory);
    std::vector<Candidate> best;
    size_t parts = 2;
    for (size_t part = 0; part < parts;) {
        if (!count_pairs(frequent, part, parts)) {
            parts *= 2;
            part = 0;
            best.clear();
            continue;
        }
        ++part;
        index_.for_each([&](PairKey key, const TrackedPair& pair) {
            if (!reaches(pair.count, key, floor_)) return;
            best.push_back({{pair.count, key}, pair.number});
            if (best.size() == 2 * most) keep_best(best, most);
        });
    }
    if (best.size() > most) keep_best(best, most);
    index_.clear();
    for (const Candidate& pair : best) index_.insert(pair.entry.key) = {pair.entry.count, 0, pair.number};
}

template <class Symbol, class Position>
void Trainer<Symbol, Position>::keep_best(std::vector<Candidate>& pairs, size_t most) {
    const auto last = pairs.begin() + static_cast<ptrdiff_t>(most) - 1;
    std::nth_element(pairs.begin(), last, pairs.end(), [](const Candidate& a, const Candidate& b) {
        return PairHeap::after(b.entry, a.entry);
    });
    floor_ = last->entry;
    pairs.resize(most);
}

/// Packs the symbols; returns the counts of pairs by bucket.
template <class Symbol, class Position>
Table<int64_t> Trainer<Symbol, Position>::sketch_counts() {
    const size_t room = std::min(memory_ / 3, 2 * sizeof(int64_t) * symbols_.size());
    unsigned bits = kSketchBits;
    while (bits > kLeastSketchBits && (sizeof(int64_t) << bits) > room) --bits;
    sketch_mask_ = (size_t{1} << bits) - 1;
    Table<int64_t> sketch(sketch_mask_ + 1);
    tokens_ += symbols_.pack(job_, [&](Symbol left, Symbol right, int64_t count) {
        sketch[bucket(left, right)] += count;
    });
    return sketch;
}

/// The count that the last wanted merge may have: the counts of successive merges fall about as 1 / rank.
template <class Symbol, class Position>
int64_t Trainer<Symbol, Position>::guess_floor(int64_t highest) const {
    const double share = static_cast<double>(merges_.size() + 1) / static_cast<double>(options_.wanted);
    return static_cast<int64_t>(static_cast<double>(highest) * std::max(0.7 * share, kSmallestStep));
}

/// Calls `visit(position, key, count)` for the pairs in frequent buckets that may be merged.
template <class Symbol, class Position>
template <class Visit>
void Trainer<Symbol, Position>::for_each_candidate(const std::vector<bool>& frequent, const Visit& visit) const {
    symbols_.for_each_pair(job_, [&](size_t position, Symbol left, Symbol right, int64_t count) {
        if (!frequent[bucket(left, right)] || left == kEnd || right == kEnd) return;
        const PairKey key = pair_key(left, right);
        if (allowed(key)) visit(position, key, count);
    });
}

/// Enters one of the parts of the candidates into the index; false when it takes more than a third of the memory.
template <class Symbol, class Position>
bool Trainer<Symbol, Position>::count_pairs(const std::vector<bool>& frequent, size_t part, size_t parts) {
    index_.clear();
    bool fits = true;
    for_each_candidate(frequent, [&](size_t, PairKey key, int64_t count) {
        if (!fits || (parts > 1 && (hash_pair(key) >> 32) % parts != part)) return;
        TrackedPair& pair = index_.insert(key);
        pair.count += count;
        ++pair.number;
        fits = index_.memory() <= memory_ / 3;
    });
    return fits;
}

/// With this floor, is there room for the positions, the largest merge, and as much again for what merges add?
template <class Symbol, class Position>
bool Trainer<Symbol, Position>::fits(Bound floor) {
    size_t positions = 0;
    size_t pairs = 0;
    size_t most = 0;
    index_.for_each([&](PairKey key, const TrackedPair& pair) {
        if (!reaches(pair.count, key, floor)) return;
        ++pairs;
        positions += pair.number;
        most = std::max<size_t>(most, pair.number);
    });
    const size_t needed =
        positions * sizeof(Position) + 2 * pairs * sizeof(PairHeap::Entry) + memory_of_merge(most);
    return index_.memory() + needed + (pairs > 1 ? needed : 0) <= memory_;
}

/// Raises the floor as far as memory wants it: to a larger count, or to the first pairs of the largest.
template <class Symbol, class Position>
void Trainer<Symbol, Position>::fit_floor() {
    if (fits(floor_)) return;
    const PairKey last = floor_.key;
    Bound first{0, 0};
    index_.for_each([&](PairKey key, const TrackedPair& pair) {
        if (pair.count > first.count || (pair.count == first.count && key < first.key)) first = {pair.count, key};
    });
    const int64_t count = std::min(
        bisect(floor_.count, first.count, [&](int64_t value) { return fits({value, last}); }), first.count);
    floor_ = {count, last};
    if (count < first.count || fits(floor_)) return;
    if (!fits(first)) throw MemoryNeeded(2 * options_.max_memory);
    // Keys are compared from the other end: the largest that fits.
    floor_.key = last - bisect(uint64_t{0}, last - first.key,
                               [&](uint64_t value) { return fits({count, last - value}); });
}

template <class Symbol, class Position>
void Trainer<Symbol, Position>::locate_pairs(const std::vector<bool>& frequent) {
    size_t total = 0;
    index_.for_each([&](PairKey key, TrackedPair& pair) {
        if (!reaches(pair.count, key, floor_)) {
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
        TrackedPair* const pair = index_.find(key);
        if (pair != nullptr && pair->number != kUntracked) {
            positions_[pair->first + pair->number++] = static_cast<Position>(position);
        }
    });
}

/// Merges the best tracked pair again and again, until none is left or memory runs short; returns what no
/// pair left comes before.
template <class Symbol, class Position>
typename Trainer<Symbol, Position>::Bound Trainer<Symbol, Position>::merge_tracked() {
    const size_t before = merges_.size();
    while (!heap_.empty() && merges_.size() < options_.wanted) {
        job_.check();
        const PairHeap::Entry top = heap_.top();
        const TrackedPair pair = *index_.find(top.key);
        if (pair.count != top.count) {
            heap_.pop();
            if (reaches(pair.count, top.key, floor_)) heap_.push({pair.count, top.key});
            continue;
        }
        const bool fits = memory_in_use() + memory_of_merge(pair.number) <= memory_;
        if (!fits && merges_.size() > before) return {top.count, top.key - 1};
        heap_.pop();
        merge(top.key, pair);
    }
    return floor_;
}

template <class Symbol, class Position>
void Trainer<Symbol, Position>::merge(PairKey key, const TrackedPair& pair) {
    const auto left = static_cast<Symbol>(key >> 32);
    const auto right = static_cast<Symbol>(key & UINT32_MAX);
    const Symbol merged = symbols_.add_symbol(left, right);
    bytes_of_.push_back(bytes_of_[left] + bytes_of_[right]);
    merges_.push_back({uint32_t{left} - 1, uint32_t{right} - 1});
    job_.done = merges_.size();
    replace(key, pair, merged);
    count_neighbours(key, merged);
    write_positions();
    for (const Symbol symbol : before_) neighbours_[symbol].left = {};
    for (const Symbol symbol : after_) neighbours_[symbol].right = {};
}

/// Replaces the pair by `merged` wherever it still stands, left to right, and sums up the symbols beside.
template <class Symbol, class Position>
void Trainer<Symbol, Position>::replace(PairKey key, const TrackedPair& pair, Symbol merged) {
    const auto left = static_cast<Symbol>(key >> 32);
    const auto right = static_cast<Symbol>(key & UINT32_MAX);
    const uint32_t left_slots = symbols_.slots(left);
    const uint32_t slots = symbols_.slots(merged);
    const Position* const positions = positions_.data() + pair.first;
    typename SymbolArray<Symbol>::Counts counts(symbols_);
    sites_.truncate(0);
    sites_.append(pair.number);
    size_t sites = 0;
    before_.clear();
    after_.clear();
    for (size_t i = 0; i < pair.number; ++i) {
        const size_t position = positions[i];
        if ((i & 0xffff) == 0) job_.check();
        if (i + kAhead < pair.number) symbols_.fetch(positions[i + kAhead]);
        if (symbols_[position] != left || symbols_[position + left_slots] != right) continue;
        const int64_t count = counts.at(position);
        const Symbol before = symbols_[position - 1];
        const Symbol after = symbols_[position + slots];
        symbols_.merge(position, left, merged);
        Neighbour& on_left = neighbours_[before].left;
        if (on_left.number++ == 0) before_.push_back(before);
        on_left.count += count;
        Neighbour& on_right = neighbours_[after].right;
        if (on_right.number++ == 0) after_.push_back(after);
        on_right.count += count;
        sites_[sites++] = {static_cast<Position>(position), before, after};
    }
    sites_.truncate(sites);
    most_sites_ = std::max(most_sites_, sites);
}

/// Takes the counts of the pairs that the merge broke up down, and tracks the frequent ones that it made.
template <class Symbol, class Position>
void Trainer<Symbol, Position>::count_neighbours(PairKey key, Symbol merged) {
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

template <class Symbol, class Position>
void Trainer<Symbol, Position>::lower(PairKey key, int64_t by) {
    if (TrackedPair* const pair = index_.find(key)) pair->count -= by;
}

template <class Symbol, class Position>
void Trainer<Symbol, Position>::track(Neighbour& side, PairKey key, int64_t count) {
    if (!reaches(count, key, floor_) || !allowed(key)) return;
    side.cursor = positions_.append(side.number);
    index_.insert(key) = {count, side.cursor, side.number};
    heap_.push({count, key});
}

template <class Symbol, class Position>
void Trainer<Symbol, Position>::write_positions() {
    for (size_t i = 0; i < sites_.size(); ++i) {
        const Site& site = sites_[i];
        Neighbour& on_left = neighbours_[site.before].left;
        if (on_left.cursor != UINT64_MAX) {
            positions_[on_left.cursor++] = static_cast<Position>(site.position - symbols_.slots(site.before));
        }
        Neighbour& on_right = neighbours_[site.after].right;
        if (on_right.cursor != UINT64_MAX) positions_[on_right.cursor++] = site.position;
    }
}

// --- Setting up ---

/// The memory that a trainer takes whatever it tracks.
template <class Symbol>
size_t fixed_memory(uint64_t slots, size_t symbols) {
    // An entry of `neighbours_`, and of the lists of neighbours, lengths (twice) and merges.
    const size_t a_symbol = 48 + 2 * sizeof(Symbol) + 2 * sizeof(uint32_t) + sizeof(Merge);
    return slots * sizeof(Symbol) + symbols * a_symbol;
}

/// Memory beside the fixed one in which every pair can be merged without reading the symbols too often: the
/// smallest sketch, positions and sites of the pair that has most, those that its merge adds, and an index.
size_t working_memory(uint64_t slots, uint64_t most_places, bool wide) {
    const size_t a_place = wide ? 32 : 20;
    return (size_t{3} << kLeastSketchBits) * sizeof(int64_t) + a_place * std::min(most_places, slots) + slots / 2;
}

/// What training would need, where `memory` is too little.
template <class Symbol>
std::optional<MemoryNeeded> memory_needed(const PretokenCensus& census, size_t symbols,
                                          const TrainingOptions& options) {
    const size_t memory = options.max_memory;
    const auto need = [&](uint64_t slots) {
        return fixed_memory<Symbol>(slots, symbols) +
               working_memory(slots, census.frequent_pair, slots > options.narrow_slots);
    };
    uint64_t slots = 1;
    for (const CountClass& of_count : census.classes) slots += of_count.slots;
    if (need(slots) <= memory) return std::nullopt;
    MemoryNeeded needed(need(slots));
    needed.pretokens = census.pretokens;
    needed.occurrences = census.occurrences;
    for (auto least = census.classes.rbegin(); least != census.classes.rend(); ++least) {
        slots -= least->slots;
        needed.dropped += least->pretokens;
        needed.dropped_occurrences += least->pretokens * least->count;
        if (need(slots) > memory) continue;
        if (slots > 1) needed.prune_below = least->count + 1;
        break;
    }
    return needed;
}

/// The ids to begin with: how long they are, and how they make up a pre-token.
template <class Encode>
struct Beginning {
    std::vector<uint32_t> lengths;  // of symbol id + 1; [0] is the end's
    Encode encode;                  // writes symbols
};

template <class Symbol, class Encode>
TrainingResult train_with(Job& job, const PretokenSource& pretokens, const TrainingOptions& options,
                          const PretokenCensus& census, Beginning<Encode> beginning) {
    const auto first_id = static_cast<uint32_t>(beginning.lengths.size() - 1);
    const size_t symbols = beginning.lengths.size() + options.wanted;
    if (auto needed = memory_needed<Symbol>(census, symbols, options)) throw *needed;
    SymbolArray<Symbol> array(job, pretokens, options.prune_below, census, std::move(beginning.lengths),
                              beginning.encode);
    const size_t memory = options.max_memory - fixed_memory<Symbol>(array.size(), symbols);
    const auto run = [&]<class Position>(Position) {
        return Trainer<Symbol, Position>(job, std::move(array), first_id, census.single_bytes, memory, options).run();
    };
    return array.size() > options.narrow_slots ? run(uint64_t{}) : run(uint32_t{});
}

template <class Encode>
TrainingResult train(Job& job, const PretokenSource& pretokens, TrainingOptions options,
                     Beginning<Encode> beginning) {
    const PretokenCensus census = take_census(job, pretokens, options.prune_below);
    size_t most = 0;  // merges that there can be
    for (const CountClass& of_count : census.classes) most += of_count.slots;
    options.wanted = std::min(options.wanted, most);
    job.total = options.wanted;
    const bool narrow = beginning.lengths.size() + options.wanted < std::numeric_limits<uint16_t>::max();
    TrainingResult result = narrow
                                ? train_with<uint16_t>(job, pretokens, options, census, std::move(beginning))
                                : train_with<uint32_t>(job, pretokens, options, census, std::move(beginning));
    result.text_bytes = census.text_bytes;
    return result;
}

}  // namespace

TrainingResult learn_merges(Job& job, const PretokenSource& pretokens, const TrainingOptions& options) {
    const auto encode = [ids = byte_ids()](std::string_view pretoken, uint32_t* symbols) {
        for (size_t i = 0; i < pretoken.size(); ++i) symbols[i] = ids[static_cast<uint8_t>(pretoken[i])] + 1;
        return pretoken.size();
    };
    return train(job, pretokens, options, Beginning{std::vector<uint32_t>(kBytes + 1, 1), encode});
}

TrainingResult extend_merges(Job& job, const PretokenSource& pretokens, const TrainingOptions& options,
                             const BpeVocabulary& vocabulary, uint32_t first_id) {
    std::vector<uint32_t> lengths(size_t{first_id} + 1, 1);
    for (TokenIndex token = 0; token < vocabulary.size(); ++token) {
        lengths[vocabulary.rank(token) + 1] = static_cast<uint32_t>(vocabulary.bytes(token).size());
    }
    LinkedPiece scratch;
    const auto encode = [&](std::string_view pretoken, uint32_t* symbols) {
        const size_t n = vocabulary.encode_piece(pretoken, scratch, symbols);
        for (size_t i = 0; i < n; ++i) ++symbols[i];
        return n;
    };
    return train(job, pretokens, options, Beginning{std::move(lengths), encode});
}

}  // namespace nlpkit
