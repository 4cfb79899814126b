#include "bpe_merging/merge.hpp"

namespace nlpkit {

size_t merge_bytes(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view bytes,
                   LinkedPiece& scratch, TokenIndex* out) {
    if (bytes.empty()) return 0;
    if (bytes.size() <= kShortPiece) {
        ShortPiece piece;
        start_from_bytes(pairs, byte_tokens, bytes, piece);
        return merge_short(pairs, piece, out);
    }
    scratch.start(pairs, byte_tokens, bytes);
    while (const auto merge = scratch.take_first()) scratch.make(*merge);
    const size_t count = scratch.write(out);
    scratch.trim();
    return count;
}

}  // namespace nlpkit
