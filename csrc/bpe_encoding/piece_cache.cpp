#include "bpe_encoding/piece_cache.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace nlpkit {

namespace {

/// Once the arena has gone round, only one in so many new pieces is kept: a text whose pieces all differ
/// would otherwise overwrite everything just before it is needed again.
constexpr unsigned kAdmitted = 8;

constexpr size_t kGrowth = 4;

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

}  // namespace

PieceCache::PieceCache(std::atomic<size_t>& budget) : budget_(budget) {
    // what every cache begins with is not asked of the budget: it is little, and none works without it
    set_lines(kFirstLineBits);
    arena_words_ = kFirstArenaWords;
    arena_.reset(new uint32_t[arena_words_]);
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
    shift_ = 64 - bits;
    room_ = size_t{1} << (bits - 1);  // with a piece for every fourth place few lines overflow
}

void PieceCache::grow_lines() {
    const unsigned bits = 64 - shift_;
    const size_t bytes = sizeof(Line) << bits;
    if (kGrowth * bytes > kMostLineBytes || !take((kGrowth - 1) * bytes)) {
        room_ = SIZE_MAX;
        return;
    }
    const Table<Line> old = std::move(lines_);
    set_lines(bits + static_cast<unsigned>(std::countr_zero(kGrowth)));
    for (size_t line = 0; line < size_t{1} << bits; ++line) {
        for (const Entry& entry : old[line].entries) {
            if (entry.count == 0) continue;
            Entry* entries = lines_[hash_key(entry.key) >> shift_].entries;
            entries[entries[0].count == 0 ? 0 : 1] = entry;
        }
    }
}

// As long as the arena has not gone round, what is in it keeps its place.
bool PieceCache::grow_arena() {
    const size_t bytes = arena_words_ * sizeof(uint32_t);
    if (head_ > arena_words_ || kGrowth * bytes > kMostArenaBytes || !take((kGrowth - 1) * bytes)) return false;
    std::unique_ptr<uint32_t[]> larger(new uint32_t[kGrowth * arena_words_]);
    std::copy_n(arena_.get(), head_, larger.get());
    arena_ = std::move(larger);
    arena_words_ *= kGrowth;
    return true;
}

/// The ids of an entry in the arena, or null if they have been overwritten.
const uint32_t* PieceCache::arena_ids(const Entry& entry) const {
    const uint64_t at = place_of(entry).at;
    return head_ - at <= arena_words_ ? arena_.get() + at % arena_words_ : nullptr;
}

bool PieceCache::matches(const Entry& entry, PieceKey key, std::string_view piece) const {
    if (entry.key != key) return false;
    if ((entry.count & kInArena) == 0) return true;
    const uint32_t* ids = arena_ids(entry);
    if (ids == nullptr) return false;
    return !is_long(key) || (piece.size() == place_of(entry).piece_size &&
                             std::memcmp(ids + entry.n_ids(), piece.data(), piece.size()) == 0);
}

size_t PieceCache::find(PieceKey key, uint64_t hash, std::string_view piece, uint32_t* out) {
    Entry* entries = lines_[hash >> shift_].entries;
    if (!matches(entries[0], key, piece)) {
        if (!matches(entries[1], key, piece)) return 0;
        std::swap(entries[0], entries[1]);
    }
    const Entry& entry = entries[0];
    if (entry.count & kInArena) {
        std::copy_n(arena_ids(entry), entry.n_ids(), out);
    } else {
        uint32_t ids[kInlineIds];
        unpack(entry, ids);
        std::copy_n(ids, entry.count, out);
    }
    return entry.n_ids();
}

/// Puts ids, and the bytes of a longer piece, where the entry finds them. False: there is no room for it.
bool PieceCache::store(Entry& entry, std::string_view piece, const uint32_t* ids, size_t count) {
    const bool keeps_bytes = is_long(entry.key);
    if (!keeps_bytes && count <= kInlineIds && std::all_of(ids, ids + count, [](uint32_t id) { return id < kPackedIds; })) {
        for (size_t i = 0; i < count; ++i) std::memcpy(entry.packed + 3 * i, ids + i, 3);
        return true;
    }
    const size_t words = count + (keeps_bytes ? (piece.size() + 3) / 4 : 0);
    while (head_ % arena_words_ + words > arena_words_ || head_ >= arena_words_) {
        if (head_ < arena_words_ && grow_arena()) continue;
        if (head_ >= arena_words_ && ++turned_away_ % kAdmitted != 0) return false;
        if (head_ % arena_words_ + words > arena_words_) head_ += arena_words_ - head_ % arena_words_;
        break;
    }
    uint32_t* to = arena_.get() + head_ % arena_words_;
    std::copy_n(ids, count, to);
    if (keeps_bytes) std::memcpy(to + count, piece.data(), piece.size());
    entry.count |= kInArena;
    set_place(entry, {head_, static_cast<uint32_t>(piece.size())});
    head_ += words;
    return true;
}

void PieceCache::insert(PieceKey key, uint64_t hash, std::string_view piece, const uint32_t* ids, size_t count) {
    if (room_ == 0) grow_lines();
    Entry entry;
    entry.key = key;
    entry.count = static_cast<uint32_t>(count);
    if (!store(entry, piece, ids, count)) return;
    Entry* entries = lines_[hash >> shift_].entries;
    entries[entries[0].count == 0 ? 0 : 1] = entry;
    if (room_ != SIZE_MAX) --room_;
}

}  // namespace nlpkit
