// Documents on several threads, and one long document too.
//
// A long document is cut anywhere between two characters and each chunk encoded on its own. The pieces that
// follow the end of a piece do not depend on what stands before it; so as soon as the pieces of one chunk,
// going on past its end, end where a piece of the next chunk ends, the two agree from there on, and what the
// next chunk had before that place is dropped. In real text this takes a piece or two.
#include <algorithm>

#include "bpe_encoding/encoder.hpp"

namespace nlpkit {

namespace {

constexpr size_t kBlock = 256;                     // pieces handled at once
constexpr size_t kRunBytes = size_t{256} << 10;    // short documents are handed to threads in about this much text
constexpr size_t kChunkBytes = size_t{512} << 10;  // long ones in chunks of this much
constexpr size_t kStarts = 64;                     // pieces within which a chunk must agree with the one before

/// The first beginning of a character at or after `at`.
size_t character_at(std::string_view text, size_t at) {
    while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) ++at;
    return at;
}

}  // namespace

/// A stretch of one document, or some whole documents.
struct BpeEncoder::Chunk {
    size_t first_text, last_text;  // documents [first_text, last_text); one if it is a stretch
    size_t begin = 0;              // where the stretch begins
    size_t limit = 0;              // where the next one begins; 0 if it goes to the document's end

    bool is_stretch() const { return begin > 0 || limit > 0; }
};

struct BpeEncoder::ChunkIds {
    IdBuffer ids;
    size_t begin = 0;
    std::vector<std::pair<size_t, size_t>> starts;  // ends of its first pieces, and the ids up to there
    size_t stop = 0;                                // how far it came: the end of a piece
    bool agreed = false;                            // the next chunk has a piece that ends there too
};

/// Where a chunk that begins at `begin` has ends of pieces, as far as the one before it looks.
std::vector<size_t> BpeEncoder::starts_of(std::string_view text, size_t begin) const {
    std::vector<size_t> starts(kStarts + 1, begin);
    starts.resize(1 + pretokenize(*scheme_, text, begin, starts.data() + 1, kStarts));
    return starts;
}

void BpeEncoder::encode_stretch(std::string_view text, const Chunk& chunk, Workspace& workspace, ChunkIds& result,
                              const Job& job) const {
    size_t ends[kBlock];
    size_t at = result.begin = chunk.begin;
    result.starts.emplace_back(at, 0);
    const std::vector<size_t> next = chunk.limit > 0 ? starts_of(text, chunk.limit) : std::vector<size_t>();
    while (at < text.size()) {
        job.check();
        const bool is_start = result.starts.size() <= kStarts;
        const size_t count = pretokenize(*scheme_, text, at, ends, is_start ? 1 : kBlock);
        size_t taken = count;
        if (chunk.limit > 0 && ends[count - 1] >= chunk.limit) {
            for (taken = 1; taken < count && ends[taken - 1] < chunk.limit;) ++taken;
        }
        encode_block(text, at, ends, taken, workspace, result.ids);
        at = result.stop = ends[taken - 1];
        if (is_start) result.starts.emplace_back(at, result.ids.size());
        if (chunk.limit == 0 || at < chunk.limit) continue;
        result.agreed = std::binary_search(next.begin(), next.end(), at);
        if (result.agreed || at > next.back()) return;
    }
}

/// Puts the stretches `parts[first, last)` of one document together.
void BpeEncoder::join_stretches(std::string_view text, std::vector<ChunkIds>& parts, size_t first, size_t last,
                             IdBuffer& out, const Job& job) const {
    size_t from = 0;
    for (size_t part = first; part < last; ++part) {
        ChunkIds& chunk = parts[part];
        if (chunk.stop < from) {  // a piece reached over the whole chunk
            chunk.agreed = false;
        } else {
            const auto start = std::lower_bound(chunk.starts.begin(), chunk.starts.end(), std::pair(from, size_t{0}));
            out.append(chunk.ids.data() + start->second, chunk.ids.size() - start->second);
            from = chunk.stop;
        }
        chunk.ids = IdBuffer();
        if (part + 1 < last && !chunk.agreed) {
            const Lease workspace(workspaces_);
            encode_blocks(text, from, *workspace, out, job);
            return;
        }
    }
}

/// Cuts the documents into work for threads: stretches of the long ones, runs of the short ones.
std::vector<BpeEncoder::Chunk> BpeEncoder::plan(const std::vector<std::string_view>& texts, unsigned threads) {
    std::vector<Chunk> chunks;
    size_t run_bytes = kRunBytes;  // of the run under way; full: the next document begins another one
    for (size_t i = 0; i < texts.size(); ++i) {
        const size_t size = texts[i].size();
        if (threads > 1 && size >= 2 * kChunkBytes) {
            for (size_t begin = 0; begin < size;) {
                size_t limit = character_at(texts[i], std::min(size, begin + kChunkBytes));
                if (size - limit < kChunkBytes / 2) limit = size;
                chunks.push_back({i, i + 1, begin, limit < size ? limit : 0});
                begin = limit;
            }
            run_bytes = kRunBytes;
        } else if (run_bytes >= kRunBytes) {
            chunks.push_back({i, i + 1});
            run_bytes = size;
        } else {
            chunks.back().last_text = i + 1;
            run_bytes += size;
        }
        if (threads == 1) run_bytes = 0;  // all in one
    }
    return chunks;
}

/// Puts the ids of all chunks together; `offsets` holds the numbers of ids of whole documents.
void BpeEncoder::join(const std::vector<std::string_view>& texts, std::optional<uint32_t> after,
                      const std::vector<Chunk>& chunks, std::vector<ChunkIds>& parts, RaggedIds& result,
                      const Job& job) const {
    if (chunks.size() == 1) {
        result.ids = std::move(parts[0].ids);
        return;
    }
    for (size_t c = 0; c < chunks.size();) {
        if (!chunks[c].is_stretch()) {
            result.ids.append(parts[c].ids.data(), parts[c].ids.size());
            parts[c++].ids = IdBuffer();
            continue;
        }
        const size_t text = chunks[c].first_text, before = result.ids.size();
        const size_t first = c++;
        while (c < chunks.size() && chunks[c].begin > 0) ++c;
        join_stretches(texts[text], parts, first, c, result.ids, job);
        if (after) result.ids.push(*after);
        result.offsets[text + 1] = result.ids.size() - before;
    }
}

RaggedIds BpeEncoder::encode_batch(const std::vector<std::string_view>& texts, std::optional<uint32_t> after,
                                   unsigned threads, Job& job) const {
    static_cast<void>(scheme());
    const std::vector<Chunk> chunks = plan(texts, threads);
    std::vector<ChunkIds> parts(chunks.size());
    RaggedIds result;
    result.offsets.assign(texts.size() + 1, 0);
    parallel_for(chunks.size(), threads, [&](size_t c) {
        const Chunk& chunk = chunks[c];
        const Lease workspace(workspaces_);
        if (chunk.is_stretch()) {
            encode_stretch(texts[chunk.first_text], chunk, *workspace, parts[c], job);
            return;
        }
        IdBuffer& ids = parts[c].ids;
        for (size_t i = chunk.first_text; i < chunk.last_text; ++i) {
            const size_t before = ids.size();
            encode_blocks(texts[i], 0, *workspace, ids, job);
            if (after) ids.push(*after);
            result.offsets[i + 1] = ids.size() - before;
        }
    });
    join(texts, after, chunks, parts, result, job);
    for (size_t i = 0; i < texts.size(); ++i) result.offsets[i + 1] += result.offsets[i];
    return result;
}

}  // namespace nlpkit
