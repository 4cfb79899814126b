#include "bpe_merging/character_start.hpp"

namespace nlpkit {

namespace {

constexpr size_t kCodePoints = size_t{1} << 16;

bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

/// The length of the character that begins with this byte of valid UTF-8.
NLPKIT_INLINE size_t length_of(uint8_t lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

NLPKIT_INLINE uint32_t pair_of(std::string_view text, size_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(text[at - 1])) << 8 | static_cast<uint8_t>(text[at]);
}

/// Whether bytes begin and end with whole characters, going by lead and continuation bytes alone.
bool is_whole_characters(std::string_view bytes) {
    uint8_t seen = 0;
    for (const char byte : bytes) seen |= static_cast<uint8_t>(byte);
    if (seen < 0x80) return true;
    for (size_t at = 0; at < bytes.size();) {
        if (is_continuation(bytes[at])) return false;
        const size_t end = at + length_of(static_cast<uint8_t>(bytes[at]));
        if (end > bytes.size()) return false;
        while (++at < end) {
            if (!is_continuation(bytes[at])) return false;
        }
    }
    return true;
}

/// Adds tokens to a piece and looks up the pairs they make with what stands before them.
class Appender {
   public:
    Appender(const PairTable& pairs, const ByteTokens& byte_tokens, ShortPiece& piece)
        : pairs_(pairs), byte_tokens_(byte_tokens), piece_(piece) {
        piece_.count = 0;
    }

    NLPKIT_INLINE void byte(uint8_t value) {
        const TokenIndex token = byte_tokens_[value];
        if (piece_.count > 0) {
            pair(last_ == Last::byte     ? pairs_.merge_bytes(last_byte_, value)
                 : last_ == Last::longer ? pairs_.merge(piece_.tokens[piece_.count], token)
                                         : kNoToken);
        }
        push(token, Last::byte);
        last_byte_ = value;
    }

    /// A token longer than a byte.
    NLPKIT_INLINE void token(TokenIndex token) {
        if (piece_.count > 0) {
            pair(last_ == Last::final ? kNoToken : pairs_.merge(piece_.tokens[piece_.count], token));
        }
        push(token, Last::longer);
    }

    /// A token that merges with none of its neighbours.
    NLPKIT_INLINE void final_token(TokenIndex token) {
        if (piece_.count > 0) pair(kNoToken);
        push(token, Last::final);
    }

   private:
    enum class Last : uint8_t { byte, longer, final };

    NLPKIT_INLINE void pair(TokenIndex merged) {
        piece_.keys[piece_.count] = ShortPiece::key_of(merged, piece_.count);
    }

    NLPKIT_INLINE void push(TokenIndex token, Last last) {
        piece_.tokens[++piece_.count] = token;
        last_ = last;
    }

    const PairTable& pairs_;
    const ByteTokens& byte_tokens_;
    ShortPiece& piece_;
    Last last_ = Last::final;
    uint8_t last_byte_ = 0;
};

}  // namespace

CharacterStart::CharacterStart()
    : parts_(kCodePoints), crossed_pairs_((size_t{1} << 16) / 64, 0) {}

bool CharacterStart::add_token(std::string_view bytes) {
    if (is_whole_characters(bytes)) return false;
    bool is_crossing = false;
    for (size_t at = 1; at < bytes.size(); ++at) {
        if (is_continuation(bytes[at])) continue;
        is_crossing = true;
        const uint32_t pair = pair_of(bytes, at);
        crossed_pairs_[pair / 64] |= uint64_t{1} << (pair % 64);
        crossings_[pair].push_back({std::string(bytes), at});
    }
    return is_crossing;
}

bool CharacterStart::is_crossed(std::string_view text, size_t at) const {
    const uint32_t pair = pair_of(text, at);
    if ((crossed_pairs_[pair / 64] >> (pair % 64) & 1) == 0) return false;
    for (const Crossing& crossing : crossings_.find(pair)->second) {
        if (crossing.before <= at && text.substr(at - crossing.before).starts_with(crossing.bytes)) return true;
    }
    return false;
}

CharacterStart::Parts CharacterStart::parts(const PairTable& pairs, const ByteTokens& byte_tokens,
                                            std::string_view character, uint32_t code_point) const {
    Parts known = parts_[code_point].load(std::memory_order_relaxed);
    if (known != 0) return known;
    ShortPiece piece;
    TokenIndex tokens[3];
    start_from_bytes(pairs, byte_tokens, character, piece);
    const size_t count = merge_short(pairs, piece, tokens);
    for (size_t i = 3; i-- > 0;) known = known << kIndexBits | (i < count ? tokens[i] : kNoToken);
    parts_[code_point].store(known, std::memory_order_relaxed);  // every thread finds the same
    return known;
}

void CharacterStart::fill(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view text,
                          ShortPiece& piece) const {
    Appender append(pairs, byte_tokens, piece);
    bool crossed = false;  // the boundary before the character at hand
    for (size_t at = 0; at < text.size();) {
        const auto lead = static_cast<uint8_t>(text[at]);
        const size_t end = at + length_of(lead);
        const bool crossed_before = crossed;
        crossed = end < text.size() && is_crossed(text, end);
        if (lead < 0x80 || lead >= 0xF0 || crossed || crossed_before) {
            for (; at < end; ++at) append.byte(static_cast<uint8_t>(text[at]));
            continue;
        }
        const auto byte = [&](size_t i) { return static_cast<uint32_t>(text[at + i]) & 0x3F; };
        const uint32_t code_point = end - at == 2 ? (lead & 0x1Fu) << 6 | byte(1)
                                                  : (lead & 0x0Fu) << 12 | byte(1) << 6 | byte(2);
        const Parts known = parts(pairs, byte_tokens, text.substr(at, end - at), code_point);
        const auto part = [known](unsigned i) { return static_cast<TokenIndex>(known >> (i * kIndexBits) & kNoToken); };
        if (part(1) == kNoToken) {
            append.token(part(0));
        } else {
            append.final_token(part(0));
            append.final_token(part(1));
            if (part(2) != kNoToken) append.final_token(part(2));
        }
        at = end;
    }
}

}  // namespace nlpkit
