#include "piece_cache.hpp"

#include <algorithm>

namespace nlpkit {

namespace {

constexpr size_t kArenaWords = PieceCache::kArenaBytes / sizeof(uint32_t);
constexpr size_t kLines = size_t{1} << PieceCache::kLineBits;

}  // namespace

PieceCache::PieceCache() : lines_(make_table<Line>(kLines)), arena_(new uint32_t[kArenaWords]) {}

void PieceCache::clear() {
    std::fill_n(lines_.get(), kLines, Line());
    used_ = 0;
}

bool PieceCache::matches(const Entry& entry, PieceKey key, std::string_view piece) const {
    if (entry.key != key) return false;
    if (!is_long(key)) return true;
    return piece.size() == entry.ids[1] &&
           std::memcmp(arena_.get() + entry.ids[0] + entry.n_ids(), piece.data(), piece.size()) == 0;
}

const PieceCache::Entry* PieceCache::find(PieceKey key, uint64_t hash, std::string_view piece) {
    Entry* entries = lines_[hash >> kShift].entries;
    if (matches(entries[0], key, piece)) return &entries[0];
    if (!matches(entries[1], key, piece)) return nullptr;
    std::swap(entries[0], entries[1]);
    return &entries[0];
}

void PieceCache::insert(PieceKey key, uint64_t hash, std::string_view piece, const uint32_t* ids, size_t count) {
    Entry entry{key, static_cast<uint32_t>(count), {0, 0, 0}};
    const bool is_hash = is_long(key);
    if (count > kInlineIds || is_hash) {
        const size_t piece_words = is_hash ? (piece.size() + 3) / 4 : 0;
        if (used_ + count + piece_words > kArenaWords) clear();
        entry.count |= kInArena;
        entry.ids[0] = static_cast<uint32_t>(used_);
        entry.ids[1] = static_cast<uint32_t>(piece.size());
        std::memcpy(arena_.get() + used_, ids, count * sizeof *ids);
        if (is_hash) std::memcpy(arena_.get() + used_ + count, piece.data(), piece.size());
        used_ += count + piece_words;
    } else {
        std::copy_n(ids, count, entry.ids);
    }
    Entry* entries = lines_[hash >> kShift].entries;
    entries[entries[0].count == 0 ? 0 : 1] = entry;
}

}  // namespace nlpkit
