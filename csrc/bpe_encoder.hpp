// Text to ids: pre-tokenization, the cache of pieces, byte-pair merging; documents on several threads.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "bpe_vocabulary.hpp"
#include "id_buffer.hpp"
#include "job.hpp"
#include "piece_cache.hpp"
#include "pretokenizer.hpp"

namespace nlpkit {

/// The ids of several documents end to end: document i is ids[offsets[i], offsets[i + 1]).
struct RaggedIds {
    IdBuffer ids;
    std::vector<uint64_t> offsets;
};

/// Safe to use from many threads at once, and after a fork: what changes is handed out by exchange.
class BpeEncoder {
   public:
    /// Without a scheme only whole pieces can be encoded: the caller splits the text.
    BpeEncoder(BpeVocabulary vocabulary, std::optional<Scheme> scheme);
    ~BpeEncoder();
    BpeEncoder(const BpeEncoder&) = delete;
    BpeEncoder& operator=(const BpeEncoder&) = delete;

    const BpeVocabulary& vocabulary() const { return vocabulary_; }
    bool has_scheme() const { return scheme_.has_value(); }

    /// Appends the ids of valid UTF-8 `text`, split by the scheme. Throws std::logic_error without a scheme.
    void encode(std::string_view text, IdBuffer& out, const Job& job) const;

    /// Appends the ids of pieces that are already split.
    void encode_pieces(const std::vector<std::string_view>& pieces, IdBuffer& out, const Job& job) const;

    /// Encodes documents on up to `threads` threads, in order; `after`, if any, is appended to each.
    RaggedIds encode_batch(const std::vector<std::string_view>& texts, std::optional<uint32_t> after,
                           unsigned threads, Job& job) const;

   private:
    /// What one thread needs while it encodes; returned for reuse afterwards.
    struct Workspace {
        PieceCache cache;
        MergeScratch scratch;
    };
    class Lease;

    void encode_blocks(std::string_view text, Workspace& workspace, IdBuffer& out, const Job& job) const;
    void encode_block(std::string_view text, size_t begin, const size_t* ends, size_t count,
                      Workspace& workspace, IdBuffer& out) const;
    void encode_other(std::string_view piece, PieceKey key, uint64_t hash, Workspace& workspace,
                      IdBuffer& out) const;

    BpeVocabulary vocabulary_;
    std::optional<Scheme> scheme_;
    mutable std::array<std::atomic<Workspace*>, 64> idle_{};
};

}  // namespace nlpkit
