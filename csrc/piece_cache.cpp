#include "piece_cache.hpp"

#include <algorithm>
#include <bit>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace nlpkit {

namespace {

constexpr size_t kArenaWords = PieceCache::kArenaBytes / sizeof(uint32_t);
constexpr size_t kLines = size_t{1} << PieceCache::kLineBits;

}  // namespace

constexpr std::align_val_t kHugePage{size_t{2} << 20};

void PieceCache::Free::operator()(Line* lines) const { ::operator delete(lines, kHugePage); }

PieceCache::PieceCache() : arena_(new uint32_t[kArenaWords]) {
    static_assert(std::endian::native == std::endian::little, "keys are packed little-endian");
    constexpr size_t bytes = kLines * sizeof(Line);
    lines_.reset(static_cast<Line*>(::operator new(bytes, kHugePage)));
#if defined(__linux__)
    madvise(lines_.get(), bytes, MADV_HUGEPAGE);  // before the first touch: saves most of the page faults
#endif
    clear();
}

void PieceCache::clear() {
    std::memset(static_cast<void*>(lines_.get()), 0, kLines * sizeof(Line));
    used_ = 0;
}

void PieceCache::insert(Key key, size_t line, std::string_view piece, const uint32_t* ids, size_t count) {
    Entry entry{key, static_cast<uint32_t>(count), {0, 0, 0}};
    if (entry.in_arena()) {
        const size_t piece_words = is_long(key) ? (piece.size() + 3) / 4 : 0;
        if (used_ + count + piece_words > kArenaWords) clear();
        entry.ids[0] = static_cast<uint32_t>(used_);
        entry.ids[1] = static_cast<uint32_t>(piece.size());
        std::memcpy(arena_.get() + used_, ids, count * sizeof *ids);
        if (piece_words > 0) std::memcpy(arena_.get() + used_ + count, piece.data(), piece.size());
        used_ += count + piece_words;
    } else {
        std::copy_n(ids, count, entry.ids);
    }
    Entry* entries = lines_[line].entries;
    entries[entries[0].count == 0 ? 0 : 1] = entry;
}

}  // namespace nlpkit
