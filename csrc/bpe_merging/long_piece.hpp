// Byte-pair encoding of long pieces in linear time.
//
// In a vocabulary where merging rebuilds every token, the tokens of a text are the only sequence in which each
// two neighbours stay two when their bytes are merged on their own (van Antwerpen and Neubeck 2024, "So many
// tokens, so little time", the README of github/rust-gems' crate bpe). So take the longest token that the
// text goes on with and that stays apart from the one before, a shorter one where none does, and step back
// where no token at all does. What is before a place fixes its token, so a place from which there was no way on
// is never tried again, and each place is left for good after as many tries as tokens begin there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bpe_merging/pair_table.hpp"
#include "bpe_merging/token_trie.hpp"

namespace nlpkit {

/// The two tokens that a token is merged from; kNoToken and kNoToken for a single byte.
struct Split {
    TokenIndex left = kNoToken, right = kNoToken;
};

class LongPieces {
   public:
    /// The tokens of a vocabulary in rank order, and what each is merged from.
    LongPieces(const std::vector<std::string_view>& tokens, const std::vector<Split>& splits);

    /// Writes the tokens of a piece of any bytes to `out`, which has room for one a byte; returns how many.
    /// Takes a bit of memory for each byte. Throws Cancelled where the thread's job is to end.
    size_t encode(const PairTable& pairs, std::string_view piece, TokenIndex* out) const;

   private:
    struct Token {
        Split split;
        TokenIndex shorter;  // the longest token that this one begins with
        uint32_t size;
    };

    /// How far a search has come: the place, the tokens before it, and the one to try there.
    struct Path {
        size_t at, count;
        TokenIndex token;
    };
    enum class Found { all, part, nothing };

    /// `dead`: a bit for each place from which there is no way on, all zero at first.
    size_t encode(const PairTable& pairs, std::string_view piece, uint64_t* dead, TokenIndex* out) const;

    /// Goes on from `path` for some milliseconds.
    Found search(const PairTable& pairs, std::string_view piece, uint64_t* dead, TokenIndex* out, Path& path) const;
    bool stay_two(const PairTable& pairs, TokenIndex left, TokenIndex right, std::string_view around) const;

    std::vector<Token> tokens_;
    TokenTrie trie_;
};

}  // namespace nlpkit
