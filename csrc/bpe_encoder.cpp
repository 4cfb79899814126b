#include "bpe_encoder.hpp"

#include <algorithm>
#include <stdexcept>

namespace nlpkit {

namespace {

constexpr size_t kBlock = 256;                   // pieces whose cache lines are fetched ahead together
constexpr size_t kJobBytes = size_t{256} << 10;  // documents are handed to threads in about this much text

}  // namespace

/// Takes an idle workspace, or makes one; gives it back at the end unless enough are idle.
class BpeEncoder::Lease {
   public:
    explicit Lease(const BpeEncoder& encoder) : idle_(encoder.idle_) {
        for (auto& place : idle_) {
            if (place.load(std::memory_order_relaxed) == nullptr) continue;
            workspace_.reset(place.exchange(nullptr, std::memory_order_acquire));
            if (workspace_) return;
        }
        workspace_ = std::make_unique<Workspace>();
    }

    ~Lease() {
        for (auto& place : idle_) {
            Workspace* none = nullptr;
            if (place.compare_exchange_strong(none, workspace_.get(), std::memory_order_release,
                                              std::memory_order_relaxed)) {
                static_cast<void>(workspace_.release());
                return;
            }
        }
    }

    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Workspace& operator*() const { return *workspace_; }

   private:
    std::array<std::atomic<Workspace*>, 64>& idle_;
    std::unique_ptr<Workspace> workspace_;
};

BpeEncoder::BpeEncoder(BpeVocabulary vocabulary, std::optional<Scheme> scheme)
    : vocabulary_(std::move(vocabulary)), scheme_(scheme) {}

BpeEncoder::~BpeEncoder() {
    for (auto& place : idle_) delete place.load();
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
            for (size_t j = 0; j < PieceCache::kInlineIds; ++j) to[j] = entry->ids[j];  // copies count or more
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
    uint32_t* const to = out.reserve(piece.size());
    if (piece.size() > PieceCache::kLongestPiece) {
        if (piece.size() >= UINT32_MAX) throw std::length_error("a piece of text is longer than 4 GiB");
        out.advance(vocabulary_.encode_piece(piece, workspace.scratch, to));
        return;
    }
    PieceCache& cache = workspace.cache;
    if (const auto* entry = cache.find(key, hash, piece)) {
        std::copy_n(cache.ids(*entry), entry->n_ids(), to);
        out.advance(entry->n_ids());
        return;
    }
    const size_t made = vocabulary_.encode_piece(piece, workspace.scratch, to);
    cache.insert(key, hash, piece, to, made);
    out.advance(made);
}

void BpeEncoder::encode_blocks(std::string_view text, Workspace& workspace, IdBuffer& out,
                               const Job& job) const {
    size_t ends[kBlock];
    for (size_t begin = 0; begin < text.size();) {
        job.check();
        const size_t count = pretokenize(*scheme_, text, begin, ends, kBlock);
        encode_block(text, begin, ends, count, workspace, out);
        begin = ends[count - 1];
    }
}

void BpeEncoder::encode(std::string_view text, IdBuffer& out, const Job& job) const {
    if (!scheme_) throw std::logic_error("this encoder has no scheme to split text by");
    const Lease workspace(*this);
    encode_blocks(text, *workspace, out, job);
}

void BpeEncoder::encode_pieces(const std::vector<std::string_view>& pieces, IdBuffer& out,
                               const Job& job) const {
    const Lease workspace(*this);
    for (const auto piece : pieces) {
        job.check();
        const size_t end = piece.size();
        if (end > 0) encode_block(piece, 0, &end, 1, *workspace, out);
    }
}

namespace {

/// Cuts the documents into runs of about kJobBytes: the ends of the runs.
std::vector<size_t> runs_of(const std::vector<std::string_view>& texts) {
    std::vector<size_t> ends;
    size_t bytes = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
        bytes += texts[i].size();
        if (bytes >= kJobBytes || i + 1 == texts.size()) {
            ends.push_back(i + 1);
            bytes = 0;
        }
    }
    return ends;
}

}  // namespace

RaggedIds BpeEncoder::encode_batch(const std::vector<std::string_view>& texts, std::optional<uint32_t> after,
                                   unsigned threads, Job& job) const {
    if (!scheme_) throw std::logic_error("this encoder has no scheme to split text by");
    const std::vector<size_t> run_ends = runs_of(texts);
    std::vector<IdBuffer> parts(run_ends.size());
    RaggedIds result;
    result.offsets.assign(texts.size() + 1, 0);
    parallel_for(run_ends.size(), threads, [&](size_t run) {
        const Lease workspace(*this);
        IdBuffer& ids = parts[run];
        for (size_t i = run == 0 ? 0 : run_ends[run - 1]; i < run_ends[run]; ++i) {
            const size_t before = ids.size();
            encode_blocks(texts[i], *workspace, ids, job);
            if (after) ids.push(*after);
            result.offsets[i + 1] = ids.size() - before;
            job.done += texts[i].size();
        }
    });
    for (size_t i = 0; i < texts.size(); ++i) result.offsets[i + 1] += result.offsets[i];
    if (parts.size() == 1) {
        result.ids = std::move(parts[0]);
        return result;
    }
    result.ids.reserve(result.offsets.back());
    for (auto& part : parts) {
        result.ids.append(part.data(), part.size());
        part = IdBuffer();
    }
    return result;
}

}  // namespace nlpkit
