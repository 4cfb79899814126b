#include "bpe_vocabulary/vocabulary.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

#include "support/hash.hpp"

namespace nlpkit {

namespace {

constexpr uint32_t kEmptySlot = UINT32_MAX;

/// Pieces up to this many bytes are not worth making the tables for long ones, which takes some 20 ms.
constexpr size_t kHeapPiece = 512;

/// So many new pieces are not worth making the table of merges, which takes some 4 ms.
constexpr uint32_t kFewPieces = 256;

/// The upper bits of a hash, where a slot has them: of the slots that a search passes, they tell most of the
/// wrong ones.
uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) & ~static_cast<uint32_t>(kMaxTokens); }

bool is_ascii(std::string_view bytes) {
    uint8_t seen = 0;
    for (const char byte : bytes) seen |= static_cast<uint8_t>(byte);
    return seen < 0x80;
}

}  // namespace

BpeVocabulary::BpeVocabulary(RankTable tokens) : tokens_(std::move(tokens)) {
    index_tokens();
    index_bytes();
    consistent_ = pair_as_trained();
    if (!consistent_) {
        splits_ = {};
        pair_every_split();
    }
}

BpeVocabulary::BpeVocabulary(RankTable tokens, FoundOut known)
    : tokens_(std::move(tokens)),
      slots_(std::move(known.slots)),
      splits_(std::move(known.splits)),
      crossing_(std::move(known.crossing)),
      consistent_(!splits_.empty()) {
    for (const TokenIndex token : crossing_) characters_.add_token(bytes(token));
    index_bytes();
    if (!consistent_) {
        pair_every_split();
        return;
    }
    pairs_.reserve(size());
    for (TokenIndex token = 0; token < size(); ++token) {
        const auto piece = bytes(token);
        if (piece.size() == 2) {
            pairs_.insert_bytes(static_cast<uint8_t>(piece[0]), static_cast<uint8_t>(piece[1]), token);
        } else if (piece.size() > 2) {
            pairs_.insert(splits_[token].left, splits_[token].right, token);
        }
    }
}

bool BpeVocabulary::FoundOut::fits(const RankTable& tokens) const {
    const size_t size = tokens.size();
    if ((!splits.empty() && splits.size() != size) || !std::has_single_bit(slots.size())) return false;
    size_t wrong = 0, empty = 0;
    for (const Split& split : splits) {
        wrong += (split.left != kNoToken) & (split.left >= size);
        wrong += (split.right != kNoToken) & (split.right >= size);
    }
    for (const uint32_t slot : slots) {
        empty += slot == kEmptySlot;
        wrong += (slot != kEmptySlot) & ((slot & kMaxTokens) >= size);
    }
    for (const TokenIndex token : crossing) wrong += token >= size;
    return wrong == 0 && empty > 0;
}

void BpeVocabulary::index_tokens() {
    slots_.assign(std::max(size_t{1024}, std::bit_ceil(2 * size())), kEmptySlot);
    const size_t mask = slots_.size() - 1;
    for (TokenIndex token = 0; token < size(); ++token) {
        const auto piece = bytes(token);
        if (const TokenIndex other = find(piece); other != kNoToken) {
            throw std::invalid_argument("token " + quote(piece) + " has two ranks, " +
                                        std::to_string(rank(other)) + " and " + std::to_string(rank(token)));
        }
        const uint64_t hash = hash_bytes(piece);
        size_t slot = hash & mask;
        while (slots_[slot] != kEmptySlot) slot = (slot + 1) & mask;
        slots_[slot] = tag_of(hash) | token;
        if (characters_.add_token(piece)) crossing_.push_back(token);
    }
}

TokenIndex BpeVocabulary::find(std::string_view bytes) const {
    const uint64_t hash = hash_bytes(bytes);
    const size_t mask = slots_.size() - 1;
    for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
        const uint32_t entry = slots_[slot];
        if (entry == kEmptySlot) return kNoToken;
        if ((entry ^ tag_of(hash)) > kMaxTokens) continue;
        const TokenIndex token = entry & kMaxTokens;
        if (this->bytes(token) == bytes) return token;
    }
}

void BpeVocabulary::index_bytes() {
    for (unsigned value = 0; value < 256; ++value) {
        const char byte = static_cast<char>(value);
        byte_tokens_[value] = find(std::string_view(&byte, 1));
        if (byte_tokens_[value] == kNoToken) {
            throw std::invalid_argument("no token for the byte " + quote(std::string_view(&byte, 1)) +
                                        ": each of the 256 bytes needs one, or some text could not be encoded");
        }
    }
}

void BpeVocabulary::insert_pair(TokenIndex left, TokenIndex right, TokenIndex merged) {
    const auto first = bytes(left), second = bytes(right);
    if (first.size() == 1 && second.size() == 1) {
        pairs_.insert_bytes(static_cast<uint8_t>(first[0]), static_cast<uint8_t>(second[0]), merged);
    } else {
        pairs_.insert(left, right, merged);
    }
}

// In a vocabulary that BPE training made, merging a token's bytes by the smaller ranks alone leaves the two
// parts it was merged from, and no other two tokens with these bytes ever meet as neighbours: by induction
// over the ranks, the ends of a token's bytes being boundaries until then means that its inside has been
// merged exactly so. One pair a token is then enough, and the table stays small.
bool BpeVocabulary::pair_as_trained() {
    LinkedPiece scratch;
    std::vector<TokenIndex> parts;
    splits_.resize(size());
    pairs_.reserve(size());
    for (TokenIndex token = 0; token < size(); ++token) {
        const auto piece = bytes(token);
        if (piece.size() == 1) continue;
        if (piece.size() == 2) {
            const auto left = static_cast<uint8_t>(piece[0]), right = static_cast<uint8_t>(piece[1]);
            pairs_.insert_bytes(left, right, token);
            splits_[token] = {byte_tokens_[left], byte_tokens_[right]};
            continue;
        }
        parts.resize(piece.size());
        if (merge_bytes(pairs_, byte_tokens_, piece, scratch, parts.data()) != 2) return false;
        insert_pair(parts[0], parts[1], token);
        splits_[token] = {parts[0], parts[1]};
    }
    return true;
}

// In any other table each way to cut a token in two tokens may come up.
void BpeVocabulary::pair_every_split() {
    pairs_ = PairTable();
    for (TokenIndex token = 0; token < size(); ++token) {
        const auto piece = bytes(token);
        for (size_t cut = 1; cut < piece.size(); ++cut) {
            const TokenIndex left = find(piece.substr(0, cut));
            const TokenIndex right = left == kNoToken ? kNoToken : find(piece.substr(cut));
            if (right != kNoToken) insert_pair(left, right, token);
        }
    }
}

LongPieces BpeVocabulary::make_long_pieces() const {
    std::vector<std::string_view> tokens;
    tokens.reserve(size());
    for (TokenIndex token = 0; token < size(); ++token) tokens.push_back(bytes(token));
    return LongPieces(tokens, splits_);
}

MergeTable BpeVocabulary::make_merge_table() const {
    std::vector<KnownMerge> pairs;
    pairs.reserve(size());
    for (TokenIndex token = 0; token < size(); ++token) {
        if (bytes(token).size() > 2) pairs.push_back({splits_[token].left, splits_[token].right, token});
    }
    return MergeTable(pairs);
}

size_t BpeVocabulary::merge_any(std::string_view piece, LinkedPiece& scratch, TokenIndex* out) const {
    if (!consistent_ || piece.size() <= kHeapPiece) return merge_bytes(pairs_, byte_tokens_, piece, scratch, out);
    return long_pieces_.get([this] { return make_long_pieces(); }).encode(pairs_, piece, out);
}

size_t BpeVocabulary::to_ids(uint32_t* tokens, size_t count) const {
    if (tokens_.gapless()) return count;
    for (size_t i = 0; i < count; ++i) tokens[i] = rank(tokens[i]);
    return count;
}

size_t BpeVocabulary::encode_bytes(std::string_view piece, LinkedPiece& scratch, uint32_t* out) const {
    const TokenIndex whole = find(piece);
    if (whole != kNoToken) {
        out[0] = rank(whole);
        return 1;
    }
    return to_ids(out, merge_any(piece, scratch, out));
}

/// The tokens of a piece of valid UTF-8 that is no token itself, or whose merging rebuilds it.
size_t BpeVocabulary::merge_text(std::string_view piece, LinkedPiece& scratch, TokenIndex* out) const {
    if (!consistent_ || piece.size() > kShortPiece || is_ascii(piece)) return merge_any(piece, scratch, out);
    ShortPiece start;
    characters_.fill(pairs_, byte_tokens_, piece, start);
    return merge_short(pairs_, start, out);
}

// Where merging rebuilds every token, looking for the whole piece first is a mere short cut, and one that
// rarely hits with long pieces.
size_t BpeVocabulary::encode_piece(std::string_view piece, LinkedPiece& scratch, uint32_t* out) const {
    if (!consistent_ || piece.size() <= kPackedPiece) {
        const TokenIndex whole = find(piece);
        if (whole != kNoToken) {
            out[0] = rank(whole);
            return 1;
        }
    }
    return to_ids(out, merge_text(piece, scratch, out));
}

void BpeVocabulary::encode_pieces(MergedPiece* pieces, size_t count, LinkedPiece& scratch) const {
    if (!consistent_ || !merge_table_.due(static_cast<uint32_t>(count), kFewPieces)) {
        for (MergedPiece* at = pieces; at < pieces + count; ++at) at->count = encode_piece(at->piece, scratch, at->tokens);
        return;
    }
    const MergeTable& index = merge_table_.get([this] { return make_merge_table(); });
    MergeLanes<16> shortest(index);
    MergeLanes<32> middling(index);
    MergeLanes<64> longest(index);
    for (MergedPiece* at = pieces; at < pieces + count; ++at) {
        const size_t size = at->piece.size();
        if (size <= shortest.kMostBytes) {
            shortest.add(pairs_, byte_tokens_, *at);
        } else if (size <= middling.kMostBytes) {
            middling.add(pairs_, byte_tokens_, *at);
        } else if (size <= longest.kMostBytes) {
            longest.add(pairs_, byte_tokens_, *at);
        } else {
            at->count = merge_text(at->piece, scratch, at->tokens);
        }
    }
    shortest.finish();
    middling.finish();
    longest.finish();
    for (MergedPiece* at = pieces; at < pieces + count; ++at) to_ids(at->tokens, at->count);
}

}  // namespace nlpkit
