#include "bpe_merging/long_piece.hpp"

#include <stdexcept>

#include "support/current_job.hpp"

namespace nlpkit {

namespace {

constexpr size_t kFewPlaces = 256;         // of a piece shorter than this no memory is asked for
constexpr size_t kStepsUnheard = 1 << 16;  // tokens tried, some milliseconds, until Ctrl-C is heard

}  // namespace

LongPieces::LongPieces(const std::vector<std::string_view>& tokens, const std::vector<Split>& splits)
    : trie_(tokens) {
    tokens_.reserve(tokens.size());
    for (TokenIndex token = 0; token < tokens.size(); ++token) {
        const auto size = static_cast<uint32_t>(tokens[token].size());
        tokens_.push_back({splits[token], trie_.longest_prefix(tokens[token]), size});
    }
    for (const Token& token : tokens_) {  // else the way down from a token might not end
        if (token.size > 1 && tokens_[token.split.left].size + tokens_[token.split.right].size != token.size) {
            throw std::logic_error("a token is not made of the two that it is merged from");
        }
    }
}

/// Whether two tokens stay two when their bytes, of which `around` are the two at the seam, are merged.
/// Takes the merges inside the two back, the last one first, and looks at each step whether the tokens that
/// meet at the seam would have been merged before that.
NLPKIT_INLINE bool LongPieces::stay_two(const PairTable& pairs, TokenIndex left, TokenIndex right,
                                        std::string_view around) const {
    TokenIndex limit = kNoToken;  // of the tokens over the seam, those below come too late
    for (;;) {
        const Token& a = tokens_[left];
        const Token& b = tokens_[right];
        if (a.size == 1 && b.size == 1) {
            return pairs.merge_bytes(static_cast<uint8_t>(around[0]), static_cast<uint8_t>(around[1])) >= limit;
        }
        if (pairs.merge(left, right) < limit) return false;
        // single bytes are there from the beginning; of equal tokens the right one was merged last
        if (b.size == 1 || (a.size > 1 && left > right)) {
            limit = left;
            left = a.split.right;
        } else {
            limit = right + 1;
            right = b.split.left;
        }
    }
}

size_t LongPieces::encode(const PairTable& pairs, std::string_view piece, TokenIndex* out) const {
    if (piece.size() < kFewPlaces) {
        uint64_t dead[kFewPlaces / 64] = {};
        return encode(pairs, piece, dead, out);
    }
    std::vector<uint64_t> dead(piece.size() / 64 + 1, 0);
    return encode(pairs, piece, dead.data(), out);
}

size_t LongPieces::encode(const PairTable& pairs, std::string_view piece, uint64_t* dead, TokenIndex* out) const {
    Path path{0, 0, trie_.longest(piece, 0)};
    for (;;) {
        switch (search(pairs, piece, dead, out, path)) {
            case Found::all: return path.count;
            case Found::part: check_current_job(); break;
            case Found::nothing: throw std::logic_error("there is no way through the piece");
        }
    }
}

// Throws nothing itself, as encoder.cpp says of such functions.
NLPKIT_SIMD LongPieces::Found LongPieces::search(const PairTable& pairs, std::string_view piece, uint64_t* dead,
                                                 TokenIndex* out, Path& path) const {
    auto [at, count, token] = path;
    for (size_t step = 0; step < kStepsUnheard; ++step) {
        while (token != kNoToken) {
            const size_t end = at + tokens_[token].size;
            if ((dead[end / 64] >> (end % 64) & 1) == 0 &&
                (count == 0 || stay_two(pairs, out[count - 1], token, piece.substr(at - 1, 2)))) {
                break;
            }
            token = tokens_[token].shorter;
        }
        if (token != kNoToken) {
            out[count++] = token;
            at += tokens_[token].size;
            if (at == piece.size()) {
                path.count = count;
                return Found::all;
            }
            token = trie_.longest(piece, at);
        } else {
            if (count == 0) return Found::nothing;
            dead[at / 64] |= uint64_t{1} << (at % 64);
            const Token& back = tokens_[out[--count]];
            at -= back.size;
            token = back.shorter;
        }
    }
    path = {at, count, token};
    return Found::part;
}

}  // namespace nlpkit
