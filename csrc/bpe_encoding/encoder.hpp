// Text to ids: pre-tokenization, the cache of pieces, byte-pair merging; documents on several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "bpe_vocabulary/vocabulary.hpp"
#include "bpe_encoding/encoder_workspace.hpp"
#include "bpe_encoding/id_buffer.hpp"
#include "bpe_encoding/special_matcher.hpp"
#include "support/job.hpp"
#include "pretokenizer/pretokenizer.hpp"

namespace nlpkit {

/// The ids of several documents end to end: document i is ids[offsets[i], offsets[i + 1]).
struct RaggedIds {
    IdBuffer ids;
    std::vector<uint64_t> offsets;
};

/// Safe to use from many threads at once, and after a fork.
class BpeEncoder {
   public:
    /// Without a scheme only whole pieces can be encoded: the caller splits the text.
    BpeEncoder(std::shared_ptr<const BpeVocabulary> vocabulary, std::optional<Scheme> scheme)
        : shared_(std::move(vocabulary)), vocabulary_(*shared_), scheme_(scheme) {}

    const BpeVocabulary& vocabulary() const { return vocabulary_; }

    /// How text is split. Throws std::logic_error without a scheme.
    Scheme scheme() const;

    /// Appends the ids of valid UTF-8 `text`, split by the scheme; ends early, after some whole piece, once
    /// `out` has at least `enough`. Throws std::logic_error without a scheme.
    void encode(std::string_view text, IdBuffer& out, const Job& job, size_t enough = SIZE_MAX) const;

    /// How many ids a text has, or some number above `limit` once they are more.
    size_t count(std::string_view text, size_t limit, const Job& job) const;

    /// Appends the ids of pieces of valid UTF-8 that are already split.
    void encode_pieces(const std::vector<std::string_view>& pieces, IdBuffer& out, const Job& job) const;

    /// Appends the ids of any bytes taken as one piece.
    void encode_bytes(std::string_view piece, IdBuffer& out) const;

    /// Encodes documents on up to `threads` threads, in order; what `specials`, if any, finds in them becomes its
    /// ids, and `after`, if any, is appended to each. A document that `is_shared` is cut in chunks, so that all
    /// threads work on it. The result depends on none of this.
    RaggedIds encode_batch(const std::vector<std::string_view>& texts, const SpecialMatcher* specials,
                           std::optional<uint32_t> after, unsigned threads, Job& job) const;

    /// As `count`, on up to `threads` threads.
    size_t count_shared(std::string_view text, unsigned threads, const Job& job) const;

    /// Whether a text of this size is worth several threads.
    static bool is_shared(size_t bytes);

   private:
    struct Block;
    struct Part;
    struct Plan;

    void encode_blocks(std::string_view text, size_t begin, Workspace& workspace, IdBuffer& out, const Job& job,
                       size_t enough = SIZE_MAX) const;
    void encode_block(std::string_view text, size_t begin, const size_t* ends, size_t count,
                      Workspace& workspace, IdBuffer& out) const;
    void encode_block_by_level(std::string_view text, size_t begin, const size_t* ends, size_t count,
                               Workspace& workspace, IdBuffer& out) const;
    size_t split_block(std::string_view text, size_t begin, size_t* ends) const;
    template <typename At>
    static void pack_pieces(Block& block, const At& at);
    static void make_keys(Block& block, const PieceCache& cache);
    size_t write_known(Block& block, Workspace& workspace, IdBuffer& out) const;
    static size_t look_up(Block& block, size_t from, const PieceCache& cache);
    void merge_new(Block& block, size_t missing, Workspace& workspace) const;
    void write_ids(const Block& block, size_t from, Workspace& workspace, IdBuffer& out) const;
    void write_other(const Block& block, size_t index, Workspace& workspace, IdBuffer& out) const;
    static void keep_new(Workspace& workspace);
    void encode_document(std::string_view text, const SpecialMatcher* specials, Workspace& workspace,
                         IdBuffer& ids, const Job& job) const;

    std::shared_ptr<const BpeVocabulary> shared_;
    const BpeVocabulary& vocabulary_;
    std::optional<Scheme> scheme_;
    mutable WorkspacePool workspaces_;
};

}  // namespace nlpkit
