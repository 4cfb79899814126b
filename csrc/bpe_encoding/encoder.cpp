#include "bpe_encoding/encoder.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

// What is called is neither inlined nor looked into.
#if defined(__GNUC__) && !defined(__clang__)
#define NLPKIT_OPAQUE __attribute__((noipa))
#else
#define NLPKIT_OPAQUE
#endif

namespace nlpkit {

namespace {

constexpr size_t kBlock = kPieceBlock;

/// New pieces of a block that are compared with later ones.
constexpr size_t kRecent = 64;

/// Text that is asked for ahead, at the most.
constexpr size_t kMostAhead = size_t{8} << 10;

/// What stands for a piece that is too long for the cache.
const PieceCache::Entry kTooLong = PieceCache::Entry::elsewhere();

/// A text of which 16 bytes can be read anywhere: its end from a copy with zeros behind.
class Readable {
   public:
    explicit Readable(std::string_view text) : text_(text), end_(text.size() - std::min(text.size(), kWindow)) {
        std::memcpy(copy_, text.data() + end_, text.size() - end_);
    }

    NLPKIT_INLINE const char* at(size_t place) const {
        return place < end_ ? text_.data() + place : copy_ + (place - end_);
    }

    static constexpr size_t kWindow = 16;

   private:
    std::string_view text_;
    size_t end_;  // from here on the copy
    char copy_[2 * kWindow] = {};
};

}  // namespace

Scheme BpeEncoder::scheme() const {
    if (!scheme_) throw std::logic_error("this encoder has no scheme to split text by");
    return *scheme_;
}

/// Some pieces of a text, one after another.
struct BpeEncoder::Block {
    std::string_view text;
    size_t begin;  // of the first piece
    const size_t* ends;
    size_t count;
    PieceKey keys[kBlock];
    uint32_t lines[kBlock];                  // of the cache
    const PieceCache::Entry* found[kBlock];  // in the cache, or among the new pieces
    uint16_t missing[kBlock];                // those not in the cache

    Block(std::string_view whole, size_t from, const size_t* piece_ends, size_t pieces)
        : text(whole), begin(from), ends(piece_ends), count(pieces) {}

    std::string_view piece(size_t index) const {
        const size_t at = index == 0 ? begin : ends[index - 1];
        return text.substr(at, ends[index] - at);
    }
};

/// `at(place)`: the bytes of the text from there on, 16 at the least.
template <typename At>
NLPKIT_INLINE void BpeEncoder::pack_pieces(Block& block, const At& at) {
    const size_t* const ends = block.ends;
    size_t begin = block.begin;
    for (size_t i = 0, count = block.count; i < count; ++i) {
        const size_t end = ends[i], size = end - begin;
        if (size <= kPackedPiece) [[likely]] {
            pack(at(begin), size, block.keys[i]);
        } else {
            block.keys[i] = PieceCache::long_key(block.text.substr(begin, size));
        }
        begin = end;
    }
}

/// Makes the keys of all pieces, and asks for the cache lines that they lead to.
NLPKIT_INLINE void BpeEncoder::make_keys(Block& block, const PieceCache& cache) {
    const size_t last = block.count == 1 ? block.begin : block.ends[block.count - 2];
    if (block.text.size() - last >= Readable::kWindow) {
        pack_pieces(block, [text = block.text.data()](size_t place) { return text + place; });
    } else {
        const Readable text(block.text);
        pack_pieces(block, [&text](size_t place) { return text.at(place); });
    }
    for (size_t i = 0; i < block.count; ++i) block.lines[i] = cache.line_of(hash_key(block.keys[i]));
    for (size_t i = 0; i < block.count; ++i) cache.prefetch(block.lines[i]);
}

/// Finds what is in the cache, and lists what is not; returns how many.
NLPKIT_INLINE size_t BpeEncoder::look_up(Block& block, size_t from, const PieceCache& cache) {
    size_t missing = 0;
    for (size_t i = from; i < block.count; ++i) {
        const PieceCache::Entry* entry = cache.find(block.keys[i], block.lines[i]);
        block.found[i] = entry;
        block.missing[missing] = static_cast<uint16_t>(i);
        missing += !(entry->key == block.keys[i]);
    }
    size_t left = 0;
    for (size_t m = 0; m < missing; ++m) {
        const uint16_t i = block.missing[m];
        block.found[i] = cache.find_beside(block.keys[i], block.lines[i]);
        block.missing[left] = i;
        left += !(block.found[i]->key == block.keys[i]);
    }
    return left;
}

/// Writes the ids of the pieces up to the first that is not in the cache, and returns which that is.
NLPKIT_INLINE size_t BpeEncoder::write_known(Block& block, Workspace& workspace, IdBuffer& out) const {
    uint32_t* to = out.reserve(PieceCache::kInlineIds * block.count);
    size_t i = 0;
    for (; i < block.count; ++i) {
        const PieceCache::Entry* entry = workspace.cache.find(block.keys[i], block.lines[i]);
        if (!(entry->key == block.keys[i])) [[unlikely]] {
            entry = workspace.cache.find_beside(block.keys[i], block.lines[i]);
            if (!(entry->key == block.keys[i])) break;
        }
        if (entry->is_inline()) [[likely]] {
            PieceCache::unpack(*entry, to);
            to += entry->count;
        } else {
            block.found[i] = entry;
            out.advance_to(to);
            write_other(block, i, workspace, out);
            to = out.reserve(PieceCache::kInlineIds * (block.count - i));
        }
    }
    out.advance_to(to);
    return i;
}

/// Writes the ids of what has been looked up.
NLPKIT_INLINE void BpeEncoder::write_ids(const Block& block, size_t from, Workspace& workspace, IdBuffer& out) const {
    uint32_t* to = out.reserve(PieceCache::kInlineIds * block.count);
    for (size_t i = from; i < block.count; ++i) {
        const PieceCache::Entry* entry = block.found[i];
        if (entry->is_inline()) [[likely]] {
            PieceCache::unpack(*entry, to);
            to += entry->count;
        } else {
            out.advance_to(to);
            write_other(block, i, workspace, out);
            to = out.reserve(PieceCache::kInlineIds * (block.count - i));
        }
    }
    out.advance_to(to);
}

// All keys first, and the cache lines that they lead to on their way to the processor; then the ids of what is
// known. From the first piece on that is not: all look-ups, the merges of all new pieces, all ids. Few branches in
// these loops go either way.
NLPKIT_SIMD_LEVELS void BpeEncoder::encode_block_by_level(std::string_view text, size_t begin, const size_t* ends,
                                                          size_t count, Workspace& workspace, IdBuffer& out) const {
    Block block(text, begin, ends, count);
    make_keys(block, workspace.cache);
    const size_t begin_new = write_known(block, workspace, out);
    if (begin_new == count) return;
    const size_t missing = look_up(block, begin_new, workspace.cache);
    merge_new(block, missing, workspace);
    write_ids(block, begin_new, workspace, out);
    keep_new(workspace);
}

// A function without a thing of its own to unwind, because GCC (12) takes calls of a function with clones for calls
// that never throw: in a caller that has such things, memory that ran out, or Ctrl-C, would end the program.
NLPKIT_OPAQUE void BpeEncoder::encode_block(std::string_view text, size_t begin, const size_t* ends, size_t count,
                                            Workspace& workspace, IdBuffer& out) const {
    encode_block_by_level(text, begin, ends, count, workspace, out);
}

/// Merges what is not in the cache, each piece once.
void BpeEncoder::merge_new(Block& block, size_t missing, Workspace& workspace) const {
    NewPieces& fresh = workspace.fresh;
    fresh.count = 0;
    fresh.ids.resize(std::max(fresh.ids.size(), missing * PieceCache::kLongestPiece));
    uint16_t recent[kRecent] = {};  // by the line: a new piece, so that the same one is seen
    uint32_t* ids = fresh.ids.data();
    for (size_t i = 0; i < missing; ++i) {
        const size_t index = block.missing[i];
        const std::string_view piece = block.piece(index);
        if (piece.size() > PieceCache::kLongestPiece) {
            block.found[index] = &kTooLong;
            continue;
        }
        uint16_t& last = recent[PieceCache::number_of(block.lines[index]) % kRecent];
        if (fresh.count > 0 && block.keys[fresh.index[last]] == block.keys[index]) {
            block.found[index] = &fresh.entries[last];
            continue;
        }
        last = static_cast<uint16_t>(fresh.count);
        fresh.index[fresh.count] = block.missing[i];
        fresh.merged[fresh.count] = {piece, ids, 0};
        ids += piece.size();
        block.found[index] = &fresh.entries[fresh.count++];
    }
    vocabulary_.encode_pieces(fresh.merged.data(), fresh.count, workspace.scratch);
    for (size_t i = 0; i < fresh.count; ++i) {
        fresh.entries[i].key = block.keys[fresh.index[i]];
        fresh.entries[i].set(fresh.merged[i].tokens, fresh.merged[i].count);
    }
}

/// Writes the ids of a piece whose entry does not hold them.
void BpeEncoder::write_other(const Block& block, size_t index, Workspace& workspace, IdBuffer& out) const {
    const NewPieces& fresh = workspace.fresh;
    const PieceCache::Entry* const entry = block.found[index];
    const std::string_view piece = block.piece(index);
    if (piece.size() >= UINT32_MAX) throw std::length_error("a piece of text is longer than 4 GiB");
    if (const MergedPiece* merged = fresh.of(entry); merged != nullptr && merged->piece == piece) {
        out.append(merged->tokens, merged->count);
        return;
    }
    uint32_t* const to = out.reserve(piece.size() + PieceCache::kInlineIds);
    size_t count = piece.size() > PieceCache::kLongestPiece ? 0 : workspace.cache.read(*entry, piece, to);
    if (count == 0) count = vocabulary_.encode_piece(piece, workspace.scratch, to);
    out.advance(count);
}

/// Puts the new pieces in the cache.
void BpeEncoder::keep_new(Workspace& workspace) {
    const NewPieces& fresh = workspace.fresh;
    for (size_t i = 0; i < fresh.count; ++i) {
        workspace.cache.insert(fresh.entries[i], fresh.merged[i].piece, fresh.merged[i].tokens);
    }
}

/// Writes the ends of the next pieces and returns how many. Then asks for about as much text behind them, and an
/// eighth more: while the pieces are looked up, the processor does not see by itself that the text will be read on.
size_t BpeEncoder::split_block(std::string_view text, size_t begin, size_t* ends) const {
    const size_t count = pretokenize(*scheme_, text, begin, ends, kBlock);
    const size_t end = ends[count - 1];
    const size_t ahead = std::min({(end - begin) / 8 * 9, kMostAhead, text.size() - end});
    for (size_t at = 0; at < ahead; at += kCacheLine) prefetch(text.data() + end + at);
    return count;
}

void BpeEncoder::encode_blocks(std::string_view text, size_t begin, Workspace& workspace, IdBuffer& out,
                               const Job& job, size_t enough) const {
    size_t ends[kBlock];
    while (begin < text.size() && out.size() < enough) {
        job.check();
        const size_t count = split_block(text, begin, ends);
        encode_block(text, begin, ends, count, workspace, out);
        begin = ends[count - 1];
    }
}

void BpeEncoder::encode(std::string_view text, IdBuffer& out, const Job& job, size_t enough) const {
    static_cast<void>(scheme());
    const Lease workspace(workspaces_);
    encode_blocks(text, 0, *workspace, out, job, enough);
}

size_t BpeEncoder::count(std::string_view text, size_t limit, const Job& job) const {
    static_cast<void>(scheme());
    const Lease workspace(workspaces_);
    IdBuffer ids;
    size_t total = 0;
    size_t ends[kBlock];
    for (size_t begin = 0; begin < text.size() && total <= limit;) {
        job.check();
        const size_t pieces = split_block(text, begin, ends);
        ids.clear();
        encode_block(text, begin, ends, pieces, *workspace, ids);
        total += ids.size();
        begin = ends[pieces - 1];
    }
    return total;
}

void BpeEncoder::encode_pieces(const std::vector<std::string_view>& pieces, IdBuffer& out,
                               const Job& job) const {
    const Lease workspace(workspaces_);
    for (const auto piece : pieces) {
        job.check();
        const size_t end = piece.size();
        if (end > 0) encode_block(piece, 0, &end, 1, *workspace, out);
    }
}

void BpeEncoder::encode_bytes(std::string_view piece, IdBuffer& out) const {
    if (piece.size() >= UINT32_MAX) throw std::length_error("a piece of text is longer than 4 GiB");
    const Lease workspace(workspaces_);
    out.advance(vocabulary_.encode_bytes(piece, (*workspace).scratch, out.reserve(piece.size())));
}

}  // namespace nlpkit
