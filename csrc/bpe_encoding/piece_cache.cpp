#include "bpe_encoding/piece_cache.hpp"

#include <algorithm>
#include <utility>

namespace nlpkit {

namespace {

/// Once the arena has gone round, only one in so many new pieces is kept: a text whose pieces all differ
/// would otherwise overwrite everything just before it is needed again.
constexpr unsigned kAdmitted = 8;

constexpr uint32_t kPackedIds = uint32_t{1} << 24;

struct Place {
    uint64_t at;          // in the arena
    uint32_t piece_size;  // bytes
};
static_assert(sizeof(uint64_t) + sizeof(uint32_t) == 3 * PieceCache::kInlineIds);

Place place_of(const PieceCache::Entry& entry) {
    Place place;
    std::memcpy(&place.at, entry.packed, sizeof place.at);
    std::memcpy(&place.piece_size, entry.packed + sizeof place.at, sizeof place.piece_size);
    return place;
}

void set_place(PieceCache::Entry& entry, const Place& place) {
    std::memcpy(entry.packed, &place.at, sizeof place.at);
    std::memcpy(entry.packed + sizeof place.at, &place.piece_size, sizeof place.piece_size);
}

/// Copies ids four at a time: as many as needed, and up to three more.
NLPKIT_INLINE void copy_ids(const uint32_t* from, size_t count, uint32_t* to) {
    for (size_t i = 0; i < count; i += PieceCache::kInlineIds) {
        std::memcpy(to + i, from + i, PieceCache::kInlineIds * sizeof(uint32_t));
    }
}

}  // namespace

void PieceCache::Entry::set(const uint32_t* ids, size_t n_ids) {
    count = static_cast<uint32_t>(n_ids);
    const bool fits = n_ids <= kInlineIds && std::all_of(ids, ids + n_ids, [](uint32_t id) { return id < kPackedIds; });
    if (!fits || is_long(key)) {
        count |= kElsewhere;
        return;
    }
    for (size_t i = 0; i < n_ids; ++i) std::memcpy(packed + 3 * i, ids + i, 3);
}

PieceKey PieceCache::long_key(std::string_view piece) {
    piece = piece.substr(0, kLongestPiece);
    const uint64_t hash = hash_bytes(piece);
    return PieceKey{hash, fold_multiply(hash, kHashC + piece.size()) | kLongMark};
}

PieceCache::PieceCache(std::atomic<size_t>& budget)
    : budget_(budget), arena_(kMostArenaBytes / sizeof(uint32_t) + kInlineIds) {
    // what every cache begins with is not asked of the budget: it is little, and none works without it
    set_lines(kFirstLineBits);
}

PieceCache::~PieceCache() { budget_ += taken_; }

bool PieceCache::take(size_t bytes) {
    size_t left = budget_.load();
    while (left >= bytes) {
        if (budget_.compare_exchange_weak(left, left - bytes)) {
            taken_ += bytes;
            return true;
        }
    }
    return false;
}

void PieceCache::set_lines(unsigned bits) {
    lines_ = Table<Line>(size_t{1} << bits);
    shift_ = 64 - kLineBits - bits;
    room_ = (size_t{1} << bits) / 4 * 3;  // with a piece for three places in eight, few lines overflow
}

// Lines fill from their first entry on, and none is emptied: behind a line with room there is nothing.
const PieceCache::Entry* PieceCache::find_beside(PieceKey key, uint32_t line) const {
    const Entry* entry = entries_of(line);
    for (uint32_t beside = 1; beside < kNeighbours; ++beside) {
        if (entries_of(neighbour(line, beside - 1))[1].key.empty()) break;
        entry = find(key, neighbour(line, beside));
        if (entry->key == key) break;
    }
    return entry;
}

/// The first empty place in the line or those beside it; if there is none, the second of the line.
PieceCache::Entry& PieceCache::place_of_new(uint32_t line) {
    for (uint32_t beside = 0; beside < kNeighbours; ++beside) {
        for (Entry& entry : lines_[neighbour(line, beside) >> kLineBits].entries) {
            if (entry.key.empty()) return entry;
        }
    }
    return lines_[line >> kLineBits].entries[1];
}

void PieceCache::grow_lines() {
    const unsigned bits = 64 - kLineBits - shift_;
    const size_t bytes = sizeof(Line) << bits;
    if (2 * bytes > kMostLineBytes || !take(bytes)) {
        room_ = SIZE_MAX;
        return;
    }
    const Table<Line> old = std::move(lines_);
    set_lines(bits + 1);
    room_ /= 2;  // half of it is taken
    for (size_t line = 0; line < size_t{1} << bits; ++line) {
        for (const Entry& entry : old[line].entries) {
            if (entry.key.empty()) continue;
            place_of_new(line_of(hash_key(entry.key))) = entry;
        }
    }
}

// As long as the arena has not gone round, what is in it keeps its place.
bool PieceCache::grow_arena() {
    const size_t bytes = arena_words_ * sizeof(uint32_t);
    if (2 * bytes > kMostArenaBytes || !take(bytes)) return false;
    arena_words_ *= 2;
    return true;
}

size_t PieceCache::read(const Entry& entry, std::string_view piece, uint32_t* out) const {
    const auto [at, piece_size] = place_of(entry);
    if (head_ - at > arena_words_) return 0;
    const uint32_t* ids = &arena_[at & (arena_words_ - 1)];
    const size_t count = entry.n_ids();
    if (is_long(entry.key) && (piece.size() != piece_size || std::memcmp(ids + count, piece.data(), piece_size) != 0)) {
        return 0;
    }
    copy_ids(ids, count, out);
    return count;
}

/// Puts ids, and the bytes of a longer piece, where the entry finds them. False: there is no room for it.
bool PieceCache::store(Entry& entry, std::string_view piece, const uint32_t* ids) {
    const size_t count = entry.n_ids();
    const size_t words = count + (is_long(entry.key) ? (piece.size() + 3) / 4 : 0);
    const auto left = [this] { return arena_words_ - (head_ & (arena_words_ - 1)); };
    while (head_ >= arena_words_ || left() < words) {
        if (head_ <= arena_words_ && grow_arena()) continue;
        if (head_ >= arena_words_ && ++turned_away_ % kAdmitted != 0) return false;
        if (left() < words) head_ += left();
        break;
    }
    uint32_t* to = &arena_[head_ & (arena_words_ - 1)];
    std::copy_n(ids, count, to);
    if (is_long(entry.key)) std::memcpy(to + count, piece.data(), piece.size());
    set_place(entry, {head_, static_cast<uint32_t>(piece.size())});
    head_ += words;
    return true;
}

void PieceCache::insert(Entry entry, std::string_view piece, const uint32_t* ids) {
    if (room_ == 0) grow_lines();
    if (!entry.is_inline() && !store(entry, piece, ids)) return;
    place_of_new(line_of(hash_key(entry.key))) = entry;
    if (room_ != SIZE_MAX) --room_;
}

}  // namespace nlpkit
