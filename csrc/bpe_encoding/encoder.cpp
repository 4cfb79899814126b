#include "bpe_encoding/encoder.hpp"

#include <algorithm>
#include <stdexcept>

namespace nlpkit {

namespace {

constexpr size_t kBlock = kPieceBlock;

/// What stands for a piece that is too long for the cache.
const PieceCache::Entry kTooLong = PieceCache::Entry::elsewhere();

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

/// Makes the keys of all pieces, and asks for the cache lines that they lead to.
NLPKIT_INLINE void BpeEncoder::make_keys(Block& block, const PieceCache& cache) {
    const char* const data = block.text.data();
    const size_t readable = block.text.size() < 16 ? 0 : block.text.size() - 15;  // before here 16 bytes can be read
    size_t at = block.begin;
    for (size_t i = 0; i < block.count; ++i) {
        const size_t size = block.ends[i] - at;
        PieceKey key;
        if (size <= kPackedPiece) {
            key = at < readable ? pack_readable(data + at, size) : pack({data + at, size});
        } else {
            key = PieceCache::long_key({data + at, std::min(size, PieceCache::kLongestPiece)});
        }
        at = block.ends[i];
        block.keys[i] = key;
        block.lines[i] = cache.line_of(hash_key(key));
        cache.prefetch(block.lines[i]);
    }
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
NLPKIT_SIMD void BpeEncoder::encode_block(std::string_view text, size_t begin, const size_t* ends, size_t count,
                                          Workspace& workspace, IdBuffer& out) const {
    Block block(text, begin, ends, count);
    make_keys(block, workspace.cache);
    const size_t begin_new = write_known(block, workspace, out);
    if (begin_new == count) return;
    const size_t missing = look_up(block, begin_new, workspace.cache);
    merge_new(block, missing, workspace);
    write_ids(block, begin_new, workspace, out);
    keep_new(workspace);
}

/// Merges what is not in the cache, each piece once.
void BpeEncoder::merge_new(Block& block, size_t missing, Workspace& workspace) const {
    NewPieces& fresh = workspace.fresh;
    fresh.count = 0;
    fresh.ids.resize(std::max(fresh.ids.size(), missing * PieceCache::kLongestPiece));
    uint16_t recent[64] = {};  // by the line's last bits: a new piece, so that the same one is seen
    uint32_t* ids = fresh.ids.data();
    for (size_t i = 0; i < missing; ++i) {
        const size_t index = block.missing[i];
        const std::string_view piece = block.piece(index);
        if (piece.size() > PieceCache::kLongestPiece) {
            block.found[index] = &kTooLong;
            continue;
        }
        uint16_t& last = recent[block.lines[index] % 64];
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

void BpeEncoder::encode_blocks(std::string_view text, size_t begin, Workspace& workspace, IdBuffer& out,
                               const Job& job, size_t enough) const {
    size_t ends[kBlock];
    while (begin < text.size() && out.size() < enough) {
        job.check();
        const size_t count = pretokenize(*scheme_, text, begin, ends, kBlock);
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
        const size_t pieces = pretokenize(*scheme_, text, begin, ends, kBlock);
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
