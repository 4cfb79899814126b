#include "bpe_encoding/encoder.hpp"

#include <algorithm>
#include <stdexcept>

namespace nlpkit {

namespace {

constexpr size_t kBlock = 256;  // pieces whose cache lines are fetched ahead together

}  // namespace

Scheme BpeEncoder::scheme() const {
    if (!scheme_) throw std::logic_error("this encoder has no scheme to split text by");
    return *scheme_;
}

// First all keys, and the cache lines they lead to on their way to the processor, then the look-ups.
NLPKIT_SIMD void BpeEncoder::encode_block(std::string_view text, size_t begin, const size_t* ends, size_t count,
                                          Workspace& workspace, IdBuffer& out) const {
    PieceCache& cache = workspace.cache;
    PieceKey keys[kBlock];
    uint64_t hashes[kBlock];
    const char* const data = text.data();
    const size_t readable = text.size() < 16 ? 0 : text.size() - 15;  // from before here 16 bytes can be read
    for (size_t i = 0, at = begin; i < count; at = ends[i++]) {
        const size_t size = ends[i] - at;
        if (size <= kPackedPiece) {
            keys[i] = at < readable ? pack_readable(data + at, size) : pack({data + at, size});
        } else {
            keys[i] = PieceCache::long_key({data + at, std::min(size, PieceCache::kLongestPiece)});
        }
        hashes[i] = hash_key(keys[i]);
        cache.prefetch(hashes[i]);
    }
    uint32_t* to = out.reserve(PieceCache::kInlineIds * count);
    for (size_t i = 0, at = begin; i < count; at = ends[i++]) {
        if (const auto* entry = cache.find_inline(keys[i], hashes[i])) {
            PieceCache::unpack(*entry, to);
            to += entry->count;
        } else {
            out.advance_to(to);
            encode_other({data + at, ends[i] - at}, keys[i], hashes[i], workspace, out);
            to = out.reserve(PieceCache::kInlineIds * (count - i));
        }
    }
    out.advance_to(to);
}

void BpeEncoder::encode_other(std::string_view piece, PieceKey key, uint64_t hash, Workspace& workspace,
                              IdBuffer& out) const {
    if (piece.size() >= UINT32_MAX) throw std::length_error("a piece of text is longer than 4 GiB");
    uint32_t* const to = out.reserve(piece.size() + PieceCache::kInlineIds);
    if (piece.size() > PieceCache::kLongestPiece) {
        out.advance(vocabulary_.encode_piece(piece, workspace.scratch, to));
        return;
    }
    size_t count = workspace.cache.find(key, hash, piece, to);
    if (count == 0) {
        count = vocabulary_.encode_piece(piece, workspace.scratch, to);
        workspace.cache.insert(key, hash, piece, to, count);
    }
    out.advance(count);
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
