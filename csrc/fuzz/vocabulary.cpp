// Fuzz target: any bytes become a rank table, special tokens and a text; what must hold of reading and using
// them then holds.
//
//   table      a table is refused exactly where it is no vocabulary: an empty token, a byte without one, a token
//              or a rank twice
//   encode     any bytes give the ids of a naive merge by rank, also in long pieces and in tables that no
//              training made, and decode to themselves
//   decode     known ids give their bytes, any other id is refused
//   specials   found leftmost first and longest, as by looking everywhere
//   runs       bytes are called valid UTF-8 exactly where they are
//   files      damaged .tiktoken files are read or refused; images made up to pass their checksum do no harm
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include "bpe_encoding/encoder.hpp"
#include "bpe_encoding/special_matcher.hpp"
#include "bpe_vocabulary/tiktoken_file.hpp"
#include "bpe_vocabulary/token_table.hpp"
#include "bpe_vocabulary/vocabulary_image.hpp"
#include "fuzz/fuzz.hpp"
#include "support/checksum.hpp"
#include "support/utf8_runs.hpp"

namespace {

using namespace nlpkit;

struct Tokens {
    std::vector<std::string> bytes;
    std::vector<uint32_t> ranks;

    std::vector<RankedToken> ranked() const {
        std::vector<RankedToken> tokens;
        for (size_t i = 0; i < bytes.size(); ++i) tokens.push_back({bytes[i], ranks[i]});
        return tokens;
    }

    /// Whether they make a vocabulary, by the definition of one.
    bool valid() const {
        const std::set<std::string> distinct(bytes.begin(), bytes.end());
        if (distinct.size() != bytes.size() || distinct.contains("")) return false;
        if (std::set<uint32_t>(ranks.begin(), ranks.end()).size() != ranks.size()) return false;
        for (int b = 0; b < 256; ++b) {
            if (!distinct.contains(std::string(1, static_cast<char>(b)))) return false;
        }
        return true;
    }
};

/// The bytes, mostly all of them, and some tokens: joins of earlier ones as training makes them, or anything.
Tokens choose_tokens(Choices& choices) {
    Tokens tokens;
    const uint64_t kind = choices.byte();
    const uint64_t missing = kind % 16 == 0 ? choices.below(256) : 256;
    for (unsigned b = 0; b < 256; ++b) {
        if (b != missing) tokens.bytes.emplace_back(1, static_cast<char>(b));
    }
    const size_t more = choices.below(48);
    for (size_t i = 0; i < more; ++i) {
        if (kind % 4 != 0) {
            const std::string left = tokens.bytes[choices.below(tokens.bytes.size())];
            const std::string joined = left + tokens.bytes[choices.below(tokens.bytes.size())];
            if (joined.size() <= 40 && std::ranges::find(tokens.bytes, joined) == tokens.bytes.end()) {
                tokens.bytes.push_back(joined);
            }
        } else {
            tokens.bytes.push_back(choices.bytes(choices.below(7)));
        }
    }
    for (uint32_t i = 0; i < tokens.bytes.size(); ++i) tokens.ranks.push_back(kind & 0x40 ? 3 * i + i % 3 : i);
    if (kind & 0x80) {
        for (size_t i = 0; i < tokens.ranks.size(); ++i) {
            std::swap(tokens.ranks[i], tokens.ranks[choices.below(tokens.ranks.size())]);
        }
    }
    if (kind % 32 == 1) tokens.ranks.back() = tokens.ranks[choices.below(tokens.ranks.size())];
    return tokens;
}

std::shared_ptr<const BpeVocabulary> check_table(const Tokens& tokens) {
    std::shared_ptr<const BpeVocabulary> vocabulary;
    try {
        vocabulary = std::make_shared<const BpeVocabulary>(RankTable(tokens.ranked()));
    } catch (const std::invalid_argument&) {
    }
    if ((vocabulary != nullptr) != tokens.valid()) fail("a table is taken or refused wrongly");
    return vocabulary;
}

/// Changes some bytes from `begin` on.
void damage(std::string& bytes, size_t begin, Choices& choices) {
    for (size_t n = 1 + choices.below(6); n > 0; --n) {
        bytes[begin + choices.below(bytes.size() - begin)] = static_cast<char>(choices.byte());
    }
}

void check_files(const BpeVocabulary& vocabulary, std::string_view text, Choices& choices) {
    std::string file = format_tiktoken(vocabulary.tokens());
    damage(file, 0, choices);
    try {
        const BpeVocabulary read(parse_tiktoken(file));
    } catch (const std::invalid_argument&) {
    }
    std::string image = to_image(vocabulary);
    constexpr size_t kChecksum = 8, kChecked = kChecksum + sizeof(Checksum);
    damage(image, kChecked, choices);
    const Checksum checksum = checksum_of(std::string_view(image).substr(kChecked));
    std::memcpy(image.data() + kChecksum, &checksum, sizeof checksum);
    const std::optional<BpeVocabulary> restored = from_image(image);
    if (!restored || text.empty()) return;
    LinkedPiece scratch;
    std::vector<uint32_t> ids(text.size());
    if (restored->encode_bytes(text, scratch, ids.data()) > text.size()) fail("more ids than bytes");
}

std::vector<uint32_t> ids_of(const BpeVocabulary& vocabulary, std::string_view piece) {
    LinkedPiece scratch;
    std::vector<uint32_t> ids(piece.size());
    ids.resize(vocabulary.encode_bytes(piece, scratch, ids.data()));
    return ids;
}

void check_encoding(const BpeVocabulary& vocabulary, const std::map<std::string, uint32_t>& ranks,
                    const TokenTable& table, const std::string& data, size_t repeats) {
    if (data.empty()) return;
    if (ids_of(vocabulary, data) != naive_ids(data, ranks)) fail("the ids of bytes differ from the naive merge's");
    std::string piece;
    for (size_t i = 0; i < repeats; ++i) piece += data;
    const std::vector<uint32_t> ids = ids_of(vocabulary, piece);
    if (piece.size() < 400 && ids != naive_ids(piece, ranks)) fail("the ids of a long piece differ");
    std::string decoded(table.measure(ids.data(), ids.size()), '?');
    table.decode(ids.data(), ids.size(), decoded.data(), decoded.size());
    if (decoded != piece) fail("the ids' bytes are not the piece");
    if (utf8_runs(piece).size() == 1) {
        LinkedPiece scratch;
        std::vector<uint32_t> of_text(piece.size());
        of_text.resize(vocabulary.encode_piece(piece, scratch, of_text.data()));
        if (of_text != ids) fail("a text's ids differ from its bytes'");
    }
}

void check_decoding(const TokenTable& table, const std::map<uint32_t, std::string>& names, Choices choices) {
    for (size_t i = 0; i < 64 && choices.left() > 0; ++i) {
        std::vector<uint32_t> ids;
        std::string expected;
        bool known = true;
        for (size_t n = choices.below(6); n > 0; --n) {
            const auto id = static_cast<uint32_t>(choices.byte() % 8 == 0 ? UINT32_MAX - choices.below(3) : choices.below(400));
            ids.push_back(id);
            const auto name = names.find(id);
            known = known && name != names.end();
            if (name != names.end()) expected += name->second;
        }
        try {
            std::string decoded(table.measure(ids.data(), ids.size()), '?');
            table.decode(ids.data(), ids.size(), decoded.data(), decoded.size());
            if (!known) fail("an unknown id was decoded");
            if (decoded != expected) fail("ids decode to other bytes than their tokens'");
        } catch (const UnknownId& error) {
            if (names.contains(error.id)) fail("a known id was refused");
        }
    }
}

void check_specials(Choices choices) {
    std::map<std::string, uint32_t> specials;
    for (uint32_t i = 0; i < 6; ++i) {
        std::string text;
        for (size_t n = 1 + choices.below(4); n > 0; --n) text += "<a>|"[choices.below(4)];
        specials.emplace(text, i);
    }
    std::string text;
    for (size_t n = choices.below(80); n > 0; --n) text += "<a>|b"[choices.below(5)];
    const SpecialMatcher matcher({specials.begin(), specials.end()});
    size_t at = 0;
    while (at <= text.size()) {
        std::optional<SpecialMatcher::Match> expected;
        for (size_t begin = at; begin < text.size() && !expected; ++begin) {
            for (const auto& [special, id] : specials) {
                const bool here = text.compare(begin, special.size(), special) == 0;
                if (here && (!expected || special.size() > expected->end - begin)) {
                    expected = SpecialMatcher::Match{begin, begin + special.size(), id};
                }
            }
        }
        const auto found = matcher.find(text, at);
        if (found.has_value() != expected.has_value()) fail("a special token is missed or made up");
        if (!found) break;
        if (found->begin != expected->begin || found->end != expected->end || found->id != expected->id) {
            fail("the special token found is not the leftmost and longest");
        }
        at = found->end;
    }
}

/// The length of the well-formed character that begins at `at`, or 0: RFC 3629, by its code point.
size_t character_at(std::string_view bytes, size_t at) {
    const auto lead = static_cast<uint8_t>(bytes[at]);
    if (lead < 0x80) return 1;
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc0 || lead >= 0xf8 || at + length > bytes.size()) return 0;
    uint32_t code_point = lead & (0x7fu >> length);
    for (size_t i = 1; i < length; ++i) {
        const auto byte = static_cast<uint8_t>(bytes[at + i]);
        if ((byte & 0xc0) != 0x80) return 0;
        code_point = code_point << 6 | (byte & 0x3f);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool valid = code_point >= kLeast[length] && code_point <= 0x10ffff && code_point - 0xd800 >= 0x800;
    return valid ? length : 0;
}

void check_runs(std::string_view bytes) {
    std::vector<bool> valid(bytes.size());
    for (size_t at = 0; at < bytes.size();) {
        const size_t length = character_at(bytes, at);
        for (size_t i = 0; i < length; ++i) valid[at + i] = true;
        at += std::max<size_t>(length, 1);
    }
    size_t at = 0;
    const auto ends = utf8_runs(bytes);
    for (size_t run = 0; run < ends.size(); ++run) {
        if (run > 0 && ends[run] <= at) fail("a run of bytes is empty");
        for (; at < ends[run]; ++at) {
            if (valid[at] != (run % 2 == 0)) fail("a byte is called valid UTF-8 or not, wrongly");
        }
    }
    if (at != bytes.size()) fail("the runs do not cover the bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    check_runs({reinterpret_cast<const char*>(data), size});
    check_specials(Choices(data, size));
    Choices choices(data, size);
    const Tokens tokens = choose_tokens(choices);
    const std::shared_ptr<const BpeVocabulary> vocabulary = check_table(tokens);
    if (!vocabulary) return 0;
    std::map<std::string, uint32_t> ranks;
    std::map<uint32_t, std::string> names;
    for (size_t i = 0; i < tokens.bytes.size(); ++i) {
        ranks[tokens.bytes[i]] = tokens.ranks[i];
        names[tokens.ranks[i]] = tokens.bytes[i];
    }
    const TokenTable table(vocabulary, {});
    check_decoding(table, names, choices);
    const size_t repeats = 1 + choices.below(choices.byte() % 16 == 0 ? 400 : 6);
    check_encoding(*vocabulary, ranks, table, choices.bytes(200), repeats);
    std::string of_tokens;
    while (choices.left() > 0 && of_tokens.size() < 300) of_tokens += tokens.bytes[choices.below(tokens.bytes.size())];
    check_encoding(*vocabulary, ranks, table, of_tokens, 1);
    Choices again(data, size);
    check_files(*vocabulary, of_tokens, again);
    return 0;
}
