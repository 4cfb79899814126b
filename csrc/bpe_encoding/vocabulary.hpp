// A byte-level BPE vocabulary as the encoder wants it: bytes -> token, and pairs of tokens -> token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_encoding/long_piece.hpp"
#include "bpe_encoding/merge.hpp"
#include "bpe_encoding/dropout.hpp"
#include "bpe_encoding/pair_table.hpp"
#include "bpe_encoding/piece_key.hpp"
#include "pretokenizer/character_start.hpp"
#include "support/made_once.hpp"

namespace nlpkit {

/// One line of a rank table: the rank is the merge priority and the id at once.
struct RankedToken {
    std::string_view bytes;
    uint32_t rank;
};

/// Sorts by rank, keeping the order of equals.
void sort_by_rank(std::vector<RankedToken>& tokens);

/// Bytes as Python would print them, for messages.
std::string quote(std::string_view bytes);

/// Any table with a token for each of the 256 bytes works, with gaps in the ranks and also where the
/// table is not one that BPE training could have made: merging goes by the concatenated bytes.
class BpeVocabulary {
   public:
    /// Throws std::invalid_argument, with a sentence, for an empty token, a byte without a token, a rank or
    /// a token that comes twice, or more than kMaxTokens tokens.
    explicit BpeVocabulary(std::vector<RankedToken> tokens);

    size_t size() const { return ranks_.size(); }

    /// Whether plain merging rebuilds every token from its two parts, as in any trained vocabulary.
    bool consistent() const { return consistent_; }

    /// The id to give out for a token.
    NLPKIT_INLINE uint32_t rank(TokenIndex token) const { return ranks_[token]; }

    std::string_view bytes(TokenIndex token) const {
        return std::string_view(text_).substr(offsets_[token], offsets_[token + 1] - offsets_[token]);
    }

    /// The token with exactly these bytes, or kNoToken.
    TokenIndex find(std::string_view bytes) const;

    /// The ids of one piece of valid UTF-8: the whole piece if it is a token, else its merges. `out` has
    /// room for one id a byte; returns how many were written.
    size_t encode_piece(std::string_view piece, MergeScratch& scratch, uint32_t* out) const;

    /// The ids of one piece of any bytes.
    size_t encode_bytes(std::string_view piece, MergeScratch& scratch, uint32_t* out) const;

    /// The ids of one piece of any bytes, with merges left out by chance (dropout.hpp).
    size_t encode_piece_with_dropout(std::string_view piece, double probability, CounterRandom random,
                                     DropoutScratch& scratch, uint32_t* out) const {
        return to_ids(out, merge_with_dropout(pairs_, byte_tokens_, piece, probability, random, scratch, out));
    }

   private:
    void store(const std::vector<RankedToken>& tokens);
    void index_tokens();
    void index_bytes();
    bool pair_as_trained();
    void pair_every_split();
    void insert_pair(TokenIndex left, TokenIndex right, TokenIndex merged);
    size_t merge_any(std::string_view piece, MergeScratch& scratch, TokenIndex* out) const;
    LongPieces make_long_pieces() const;
    size_t to_ids(uint32_t* tokens, size_t count) const;

    std::string text_;               // the tokens' bytes end to end
    std::vector<uint32_t> offsets_;  // token i is text_[offsets_[i], offsets_[i + 1])
    std::vector<uint32_t> ranks_;    // ascending
    std::vector<uint32_t> slots_;    // bytes -> token, open addressing: 11 bits of the hash, 21 of the index
    ByteTokens byte_tokens_{};
    PairTable pairs_;
    CharacterStart characters_;
    std::vector<Split> splits_;  // of each token; none where the table is not consistent
    MadeOnce<LongPieces> long_pieces_;
    bool consistent_ = false;
    bool gapless_ = false;  // ids are the indices
};

}  // namespace nlpkit
