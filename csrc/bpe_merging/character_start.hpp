// A head start for merging text outside ASCII: whole characters instead of bytes.
//
// In a vocabulary where plain merging rebuilds every token, the bytes of a character merge among themselves
// first, unless some token covers a part of the character together with a part of its neighbour. Such tokens
// are few, so where none of them stands at either end of a character, its own tokens are looked up. (A token
// that crosses the character's end then consists of whole characters, so it comes from merging tokens that
// hold the whole character.) Where the character stays in two tokens, nothing ever merges across its ends.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bpe_merging/short_piece.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

class CharacterStart {
   public:
    CharacterStart();

    /// Tells of a token, and whether it had to be told; call it for every one before the first `fill`.
    bool add_token(std::string_view bytes);

    /// Puts valid UTF-8 of 1 to kShortPiece bytes into `piece`. Safe to call from many threads.
    void fill(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view text,
              ShortPiece& piece) const;

   private:
    /// Up to three tokens of a character, 21 bits each, kNoToken where there are fewer; 0 is not known yet.
    using Parts = uint64_t;

    /// A token that holds a part of a character and crosses an end of one, `before` bytes into the token.
    struct Crossing {
        std::string bytes;
        size_t before;
    };

    Parts parts(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view character,
                uint32_t code_point) const;
    bool is_crossed(std::string_view text, size_t at) const;

    mutable Table<std::atomic<Parts>> parts_;  // of each code point below 2^16
    std::vector<uint64_t> crossed_pairs_;          // bitmap over (last byte, first byte) of crossed ends
    std::unordered_map<uint32_t, std::vector<Crossing>> crossings_;  // by the same two bytes
};

}  // namespace nlpkit
