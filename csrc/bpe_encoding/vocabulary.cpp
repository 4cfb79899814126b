#include "bpe_encoding/vocabulary.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "support/hash.hpp"

namespace nlpkit {

std::string quote(std::string_view bytes) {
    std::string quoted = "b'";
    for (const char character : bytes) {
        if (character >= ' ' && character <= '~' && character != '\'' && character != '\\') {
            quoted += character;
        } else {
            char escape[5];
            std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<uint8_t>(character)));
            quoted += escape;
        }
    }
    return quoted + "'";
}

namespace {

constexpr uint32_t kEmptySlot = UINT32_MAX;

/// The upper bits of a hash, where a slot has them: of the slots that a search passes, they tell most of the
/// wrong ones.
uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) & ~static_cast<uint32_t>(kMaxTokens); }

bool is_ascii(std::string_view bytes) {
    uint8_t seen = 0;
    for (const char byte : bytes) seen |= static_cast<uint8_t>(byte);
    return seen < 0x80;
}

}  // namespace

void sort_by_rank(std::vector<RankedToken>& tokens) {
    const auto by_rank = [](const RankedToken& a, const RankedToken& b) { return a.rank < b.rank; };
    if (!std::is_sorted(tokens.begin(), tokens.end(), by_rank)) {
        std::stable_sort(tokens.begin(), tokens.end(), by_rank);
    }
}

BpeVocabulary::BpeVocabulary(std::vector<RankedToken> tokens) {
    if (tokens.size() > kMaxTokens) {
        throw std::invalid_argument("the vocabulary has " + std::to_string(tokens.size()) +
                                    " tokens, more than the " + std::to_string(kMaxTokens) + " that fit");
    }
    sort_by_rank(tokens);
    store(tokens);
    index_tokens();
    index_bytes();
    consistent_ = pair_as_trained();
    if (!consistent_) {
        splits_ = {};
        pair_every_split();
    }
    gapless_ = ranks_.back() + 1 == ranks_.size();
}

void BpeVocabulary::store(const std::vector<RankedToken>& tokens) {
    size_t total = 0;
    for (const auto& token : tokens) total += token.bytes.size();
    if (total >= UINT32_MAX) throw std::invalid_argument("the tokens are longer than 4 GiB together");
    text_.reserve(total);
    ranks_.reserve(tokens.size());
    offsets_.reserve(tokens.size() + 1);
    offsets_.push_back(0);
    for (const auto& [bytes, rank] : tokens) {
        if (bytes.empty()) {
            throw std::invalid_argument("rank " + std::to_string(rank) + " is an empty token");
        }
        if (!ranks_.empty() && ranks_.back() == rank) {
            const auto other = this->bytes(static_cast<TokenIndex>(ranks_.size() - 1));
            throw std::invalid_argument("rank " + std::to_string(rank) + " stands for two tokens, " +
                                        quote(other) + " and " + quote(bytes));
        }
        text_ += bytes;
        ranks_.push_back(rank);
        offsets_.push_back(static_cast<uint32_t>(text_.size()));
    }
}

void BpeVocabulary::index_tokens() {
    size_t capacity = 1024;
    while (capacity < 2 * size()) capacity *= 2;
    slots_.assign(capacity, kEmptySlot);
    for (TokenIndex token = 0; token < size(); ++token) {
        const auto piece = bytes(token);
        if (const TokenIndex other = find(piece); other != kNoToken) {
            throw std::invalid_argument("token " + quote(piece) + " has two ranks, " +
                                        std::to_string(rank(other)) + " and " + std::to_string(rank(token)));
        }
        const uint64_t hash = hash_bytes(piece);
        size_t slot = hash & (capacity - 1);
        while (slots_[slot] != kEmptySlot) slot = (slot + 1) & (capacity - 1);
        slots_[slot] = tag_of(hash) | token;
        characters_.add_token(piece);
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
    MergeScratch scratch;
    std::vector<TokenIndex> parts;
    splits_.resize(size());
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

size_t BpeVocabulary::merge_any(std::string_view piece, MergeScratch& scratch, TokenIndex* out) const {
    if (!consistent_ || piece.size() <= kShortPiece) return merge_bytes(pairs_, byte_tokens_, piece, scratch, out);
    return long_pieces_.get([this] { return make_long_pieces(); }).encode(pairs_, piece, out);
}

size_t BpeVocabulary::to_ids(uint32_t* tokens, size_t count) const {
    if (gapless_) return count;
    for (size_t i = 0; i < count; ++i) tokens[i] = rank(tokens[i]);
    return count;
}

size_t BpeVocabulary::encode_bytes(std::string_view piece, MergeScratch& scratch, uint32_t* out) const {
    const TokenIndex whole = find(piece);
    if (whole != kNoToken) {
        out[0] = rank(whole);
        return 1;
    }
    return to_ids(out, merge_any(piece, scratch, out));
}

// Where merging rebuilds every token, looking for the whole piece first is a mere short cut, and one that
// rarely hits with long pieces.
size_t BpeVocabulary::encode_piece(std::string_view piece, MergeScratch& scratch, uint32_t* out) const {
    if (!consistent_ || piece.size() <= kPackedPiece) {
        const TokenIndex whole = find(piece);
        if (whole != kNoToken) {
            out[0] = rank(whole);
            return 1;
        }
    }
    if (!consistent_ || piece.size() > kShortPiece || is_ascii(piece)) {
        return to_ids(out, merge_any(piece, scratch, out));
    }
    ShortPiece start;
    characters_.fill(pairs_, byte_tokens_, piece, start);
    return to_ids(out, merge_short(pairs_, start, out));
}

}  // namespace nlpkit
