// A byte-level BPE vocabulary as the encoder wants it: bytes -> token, and pairs of tokens -> token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bpe_merging/dropout.hpp"
#include "bpe_merging/long_piece.hpp"
#include "bpe_merging/merge.hpp"
#include "bpe_merging/merge_table.hpp"
#include "bpe_merging/pair_table.hpp"
#include "bpe_vocabulary/piece_key.hpp"
#include "bpe_vocabulary/rank_table.hpp"
#include "bpe_merging/merge_lanes.hpp"
#include "bpe_merging/character_start.hpp"
#include "support/made_once.hpp"

namespace nlpkit {

/// Any table with a token for each of the 256 bytes works, with gaps in the ranks and also where the
/// table is not one that BPE training could have made: merging goes by the concatenated bytes.
class BpeVocabulary {
   public:
    /// Throws std::invalid_argument, with a sentence, for a byte without a token or a token with two ranks.
    explicit BpeVocabulary(RankTable tokens);

    /// What it takes long to find out about tokens.
    struct FoundOut {
        std::vector<Split> splits;         // of each token; none where the table is not consistent
        std::vector<uint32_t> slots;       // bytes -> token, open addressing: 11 bits of the hash, 21 of the index
        std::vector<TokenIndex> crossing;  // the tokens that CharacterStart has to know of

        /// Whether these can be those of `tokens`, as far as no search goes astray.
        bool fits(const RankTable& tokens) const;
    };

    /// The same vocabulary, where `found_out()` of these tokens is known and fits. Throws as above.
    BpeVocabulary(RankTable tokens, FoundOut known);

    FoundOut found_out() const { return {splits_, slots_, crossing_}; }

    const RankTable& tokens() const { return tokens_; }
    size_t size() const { return tokens_.size(); }

    /// Whether plain merging rebuilds every token from its two parts, as in any trained vocabulary.
    bool consistent() const { return consistent_; }

    /// The id to give out for a token.
    NLPKIT_INLINE uint32_t rank(TokenIndex token) const { return tokens_.rank(token); }

    std::string_view bytes(TokenIndex token) const { return tokens_.bytes(token); }

    /// The token with exactly these bytes, or kNoToken.
    TokenIndex find(std::string_view bytes) const;

    /// The ids of one piece of valid UTF-8: the whole piece if it is a token, else its merges. `out` has
    /// room for one id a byte; returns how many were written.
    size_t encode_piece(std::string_view piece, LinkedPiece& scratch, uint32_t* out) const;

    /// The same for many pieces.
    void encode_pieces(MergedPiece* pieces, size_t count, LinkedPiece& scratch) const;

    /// The ids of one piece of any bytes.
    size_t encode_bytes(std::string_view piece, LinkedPiece& scratch, uint32_t* out) const;

    /// The ids of one piece of any bytes, with merges left out by chance (dropout.hpp).
    size_t encode_piece_with_dropout(std::string_view piece, double probability, CounterRandom random,
                                     DropoutScratch& scratch, uint32_t* out) const {
        return to_ids(out, merge_with_dropout(pairs_, byte_tokens_, piece, probability, random, scratch, out));
    }

   private:
    void index_tokens();
    void index_bytes();
    bool pair_as_trained();
    void pair_every_split();
    void insert_pair(TokenIndex left, TokenIndex right, TokenIndex merged);
    size_t merge_text(std::string_view piece, LinkedPiece& scratch, TokenIndex* out) const;
    size_t merge_any(std::string_view piece, LinkedPiece& scratch, TokenIndex* out) const;
    LongPieces make_long_pieces() const;
    MergeTable make_merge_table() const;
    size_t to_ids(uint32_t* tokens, size_t count) const;

    RankTable tokens_;
    std::vector<uint32_t> slots_;  // these three as in FoundOut
    std::vector<Split> splits_;
    std::vector<TokenIndex> crossing_;
    ByteTokens byte_tokens_{};
    PairTable pairs_;
    CharacterStart characters_;
    MadeOnce<LongPieces> long_pieces_;
    MadeOnce<MergeTable> merge_table_;
    bool consistent_ = false;
};

}  // namespace nlpkit
