// Fuzz target: any bytes become a text, a scheme and block sizes; what must hold of the tokenizer then holds.
//
//   split      the pre-tokens cover the text, in order, whatever the capacity of a block
//   count      the same counts on one thread and on three, from the pieces themselves, and beyond memory
//   train      the merges are those of recounting all pairs before each one; they depend neither on how the
//              text was counted nor on the memory allowed, and extending goes on where training ended
//   encode     ids equal a naive merge by rank, and their bytes are the text again
//   dropout    no dropout changes nothing, all of it leaves bytes, any of it the text, on one thread or three
#include <algorithm>
#include <filesystem>

#include "bpe_encoding/dropout_encoding.hpp"
#include "bpe_encoding/encoder.hpp"
#include "bpe_vocabulary/tiktoken_file.hpp"
#include "bpe_vocabulary/vocabulary_image.hpp"
#include "bpe_training/trainer.hpp"
#include "bpe_training/pretoken_counts.hpp"
#include "bpe_training/text_cuts.hpp"
#include "fuzz/fuzz.hpp"
#include "pretokenizer/pretokenizer.hpp"
#include "pretokenizer/safe_cut.hpp"

namespace {

using namespace nlpkit;

constexpr Scheme kSchemes[] = {Scheme::gpt2,   Scheme::cl100k, Scheme::o200k,
                               Scheme::llama3, Scheme::qwen2,  Scheme::nanochat};

/// Characters that the split patterns tell apart; runs and mixtures of them find more than uniform noise.
constexpr uint32_t kTelling[] = {
    'a',   's',   't',    'l',    'v',    'e',    'A',    'S',    '\'',   ' ',    '\n',    '\r',    '\t',
    '0',   '7',   '!',    '/',    0x00,   0x1c,   0x85,   0xa0,   0x17f,  0x1c5,  0x2b0,   0x301,   0x3000,
    0x5d0, 0x660, 0x4e2d, 0x200b, 0x2028, 0x2019, 0xfeff, 0xdf,   0x1d7d8, 0x1f600, 0x20000, 0x10ffff};

void append_utf8(std::string& text, uint32_t c) {
    if (c < 0x80) {
        text += static_cast<char>(c);
    } else if (c < 0x800) {
        text += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
    } else if (c < 0x10000) {
        text += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                 static_cast<char>(0x80 | (c & 0x3f))};
    } else {
        text += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
                 static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
    }
}

/// Valid UTF-8 from any bytes: a byte below 0xe0 picks a telling character, the others start a raw code point.
std::string text_from(const uint8_t* data, size_t size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) {
        if (data[i] < 0xe0 || i + 2 >= size) {
            append_utf8(text, kTelling[data[i] % std::size(kTelling)]);
            continue;
        }
        const uint32_t c = ((data[i] & 0x1fu) << 16 | data[i + 1] << 8 | data[i + 2]) % 0x110000;
        append_utf8(text, c - 0xd800 < 0x800 ? c - 0x800 : c);
        i += 2;
    }
    return text;
}

std::vector<size_t> split(Scheme scheme, std::string_view text, size_t capacity) {
    std::vector<size_t> ends;
    std::vector<size_t> block(capacity);
    for (size_t begin = 0;;) {
        const size_t count = pretokenize(scheme, text, begin, block.data(), capacity);
        if (count == 0) break;
        if (count > capacity) fail("more ends than the block holds");
        for (size_t i = 0; i < count; ++i) {
            if (block[i] <= begin || block[i] > text.size()) fail("an end that is not past its begin");
            ends.push_back(begin = block[i]);
        }
    }
    if ((ends.empty() ? 0 : ends.back()) != text.size()) fail("the pre-tokens do not cover the text");
    return ends;
}

std::vector<std::string_view> pieces_of(std::string_view text, const std::vector<size_t>& ends) {
    std::vector<std::string_view> pieces;
    size_t begin = 0;
    for (const size_t end : ends) {
        pieces.push_back(text.substr(begin, end - begin));
        begin = end;
    }
    return pieces;
}

using Counts = std::map<std::string, uint64_t>;

Counts counts_of(PretokenCounts& counts) {
    Counts found;
    counts.table().for_each(Job{}, [&](std::string_view piece, uint64_t n) { found[std::string(piece)] = n; });
    return found;
}

/// The counts of a text that is cut as a long document is, with tables that go to disk again and again.
Counts counts_beyond_memory(Scheme scheme, std::string_view text, uint64_t weight) {
    Job job;
    PretokenCounts counts(40'000, std::filesystem::temp_directory_path() / "nlpkit-fuzz-run-");
    for (size_t begin = 0, cut; begin < text.size(); begin = cut) {
        cut = next_cut(text, begin + 1);
        const std::string_view part[] = {text.substr(begin, cut - begin)};
        counts.add_documents(job, part, scheme, weight, 1);
        if (begin % 3 == 0) counts.spill(job);
    }
    counts.spill(job);
    const std::vector<RecordRange> runs = counts.take_runs();
    Counts found;
    std::string last;
    merge_records(job, runs, [&](std::string_view piece, uint64_t n) {
        if (piece <= last) fail("merged records are not in order");
        found[last = piece] = n;
    });
    for (const RecordRange& run : runs) std::filesystem::remove(run.path);
    return found;
}

/// The vocabulary's tokens in rank order. The 256 bytes stand for themselves in the order of the trainer's
/// base ids, which is found by training on nothing: GPT-2's printable bytes first.
std::vector<std::string> tokens_of(const std::vector<Merge>& merges) {
    std::vector<std::string> tokens;
    const auto printable = [](int b) {
        return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    };
    for (const bool wanted : {true, false}) {
        for (int b = 0; b < 256; ++b) {
            if (printable(b) == wanted) tokens.emplace_back(1, static_cast<char>(b));
        }
    }
    for (const Merge& merge : merges) tokens.push_back(tokens[merge.left] + tokens[merge.right]);
    return tokens;
}

bool same(const std::vector<Merge>& a, const std::vector<Merge>& b) {
    return std::ranges::equal(a, b, [](const Merge& x, const Merge& y) { return x.left == y.left && x.right == y.right; });
}

/// Training as its definition says it: count the pairs, merge the first of the most frequent, from the left.
std::vector<Merge> naive_merges(const Counts& counts, size_t wanted) {
    std::map<std::string, uint32_t> ids;
    const std::vector<std::string> bytes = tokens_of({});
    for (uint32_t id = 0; id < bytes.size(); ++id) ids[bytes[id]] = id;
    std::vector<std::pair<std::vector<uint32_t>, uint64_t>> words;
    for (const auto& [word, count] : counts) {
        words.emplace_back();
        for (const char byte : word) words.back().first.push_back(ids.at(std::string(1, byte)));
        words.back().second = count;
    }
    std::vector<Merge> merges;
    while (merges.size() < wanted) {
        std::map<std::pair<uint32_t, uint32_t>, uint64_t> pairs;
        for (const auto& [word, count] : words) {
            for (size_t i = 1; i < word.size(); ++i) pairs[{word[i - 1], word[i]}] += count;
        }
        const auto best = std::ranges::max_element(pairs, {}, [](const auto& pair) { return pair.second; });
        if (best == pairs.end()) break;
        const auto [left, right] = best->first;
        const auto made = static_cast<uint32_t>(256 + merges.size());
        merges.push_back({left, right});
        for (auto& [word, count] : words) {
            size_t size = 0;
            for (const uint32_t id : word) {
                if (size > 0 && word[size - 1] == left && id == right) {
                    word[size - 1] = made;
                } else {
                    word[size++] = id;
                }
            }
            word.resize(size);
        }
    }
    return merges;
}

/// The memory that a refusal names is enough.
void check_bounded_training(const PretokenTable& table, TrainingOptions options, const std::vector<Merge>& expected) {
    Job job;
    for (const uint64_t narrow_slots : {uint64_t{UINT32_MAX}, uint64_t{0}}) {  // with positions of 32 and of 64 bits
        options.narrow_slots = narrow_slots;
        options.max_memory = 1;
        try {
            learn_merges(job, table, options);
        } catch (const MemoryNeeded& needed) {
            options.max_memory = needed.least;
        }
        if (!same(learn_merges(job, table, options).merges, expected)) fail("the merges depend on the memory");
    }
}

/// Half of the merges, and then the other half on top of their vocabulary, are the merges.
void check_extension(const PretokenTable& table, const std::vector<Merge>& merges) {
    const auto half = merges.begin() + static_cast<std::ptrdiff_t>(merges.size() / 2);
    const std::vector<std::string> tokens = tokens_of({merges.begin(), half});
    std::vector<RankedToken> ranked;
    for (uint32_t id = 0; id < tokens.size(); ++id) ranked.push_back({tokens[id], id});
    Job job;
    TrainingOptions options;
    options.wanted = static_cast<size_t>(merges.end() - half);
    const auto more = extend_merges(job, table, options, BpeVocabulary(RankTable(ranked)), static_cast<uint32_t>(tokens.size()));
    if (!same(more.merges, {half, merges.end()})) fail("extending does not go on where training ended");
}

/// Cut at any safe place, both sides of a text split as it does itself.
void check_safe_cuts(Scheme scheme, std::string_view text, const std::vector<size_t>& ends) {
    for (size_t cut = 1; (cut = find_safe_cut(text, cut, text.size())) < text.size(); ++cut) {
        std::vector<size_t> both = split(scheme, std::string(text.substr(0, cut)), 4096);
        for (const size_t end : split(scheme, std::string(text.substr(cut)), 4096)) both.push_back(cut + end);
        if (both != ends) fail("a safe cut changes the split");
    }
}

std::vector<Merge> check_counting_and_training(Scheme scheme, std::string_view text,
                                               const std::vector<std::string_view>& pieces) {
    Job job;
    const std::string_view halves[] = {text, text};
    PretokenCounts one, three, split_elsewhere;
    one.add_documents(job, halves, scheme, 1, 1);
    three.add_documents(job, halves, scheme, 1, 3);
    for (const std::string_view piece : pieces) split_elsewhere.add_piece(job, piece, 2);
    const Counts expected = counts_of(one);
    if (counts_of(three) != expected) fail("the counts depend on the number of threads");
    if (counts_of(split_elsewhere) != expected) fail("the counts differ from those of the pieces");
    if (text.size() % 16 == 0 && counts_beyond_memory(scheme, text, 2) != expected) fail("the counts on disk differ");
    TrainingOptions options;
    options.wanted = 40;
    const std::vector<Merge> merges = learn_merges(job, one.table(), options).merges;
    if (!same(merges, naive_merges(expected, options.wanted))) fail("the merges are not those of recounting");
    if (!same(merges, learn_merges(job, split_elsewhere.table(), options).merges)) {
        fail("the merges depend on how the text was counted");
    }
    check_bounded_training(one.table(), options, merges);
    check_extension(one.table(), merges);
    return merges;
}

/// The text over and over, as one piece of any bytes that is past the short way.
void check_long_piece(const BpeEncoder& encoder, std::string_view text, const std::map<std::string, uint32_t>& ranks) {
    if (text.empty()) return;
    std::string piece;
    while (piece.size() <= kShortPiece) piece += text;
    piece.resize(std::min<size_t>(piece.size(), 300));
    IdBuffer ids;
    encoder.encode_bytes(piece, ids);
    if (!std::ranges::equal(std::vector(ids.data(), ids.data() + ids.size()), naive_ids(piece, ranks))) {
        fail("the ids of a long piece differ from the naive merge's");
    }
}

bool same(const BpeVocabulary& a, const BpeVocabulary& b) {
    if (a.size() != b.size() || a.consistent() != b.consistent()) return false;
    for (TokenIndex token = 0; token < a.size(); ++token) {
        if (a.bytes(token) != b.bytes(token) || a.rank(token) != b.rank(token)) return false;
    }
    const auto known_a = a.found_out(), known_b = b.found_out();
    if (known_a.slots != known_b.slots || known_a.crossing != known_b.crossing) return false;
    return std::ranges::equal(known_a.splits, known_b.splits, [](Split x, Split y) {
        return x.left == y.left && x.right == y.right;
    });
}

/// A vocabulary comes back from its two files, and from `damage` comes nothing or a refusal.
void check_files(const BpeVocabulary& vocabulary, std::string_view damage) {
    const std::string file = format_tiktoken(vocabulary.tokens()), image = to_image(vocabulary);
    if (!same(vocabulary, BpeVocabulary(parse_tiktoken(file)))) fail("a .tiktoken file reads otherwise");
    const auto restored = from_image(image);
    if (!restored || !same(vocabulary, *restored)) fail("an image reads otherwise");
    std::string other = image;
    for (size_t i = 0; i + 1 < damage.size(); i += 2) {
        other[static_cast<uint8_t>(damage[i]) * 31u % other.size()] ^= damage[i + 1];
    }
    if (other != image && from_image(other)) fail("a damaged image is taken for a vocabulary");
    if (from_image(std::string_view(image).substr(0, image.size() / 2))) fail("half an image is taken for a vocabulary");
    try {
        static_cast<void>(parse_tiktoken(damage));
    } catch (const std::invalid_argument&) {
    }
}

void check_dropout(const BpeEncoder& encoder, const std::string& text, const std::vector<uint32_t>& ordinary,
                   const std::vector<std::string>& tokens) {
    Job job;
    const auto encoded = [&](double probability, unsigned threads) {
        const std::vector<std::string_view> texts(40, text);
        return encode_with_dropout(encoder, texts, nullptr, std::nullopt, {probability, 7, 0}, threads, job);
    };
    const auto first = [](const RaggedIds& ragged) {
        return std::vector(ragged.ids.data(), ragged.ids.data() + ragged.offsets[1]);
    };
    if (first(encoded(0, 1)) != ordinary) fail("no dropout gives other ids");
    if (first(encoded(1, 1)).size() != text.size()) fail("dropping all merges leaves something else than bytes");
    const RaggedIds one = encoded(0.4, 1), three = encoded(0.4, 3);
    if (one.offsets != three.offsets ||
        !std::equal(one.ids.data(), one.ids.data() + one.ids.size(), three.ids.data())) {
        fail("dropout depends on the number of threads");
    }
    for (size_t i = 0; i + 1 < one.offsets.size(); ++i) {
        std::string decoded;
        for (size_t at = one.offsets[i]; at < one.offsets[i + 1]; ++at) decoded += tokens[one.ids.data()[at]];
        if (decoded != text) fail("with dropout, the ids' bytes are not the text");
    }
}

void check_encoding(Scheme scheme, std::string_view text, const std::vector<std::string_view>& pieces,
                    const std::vector<std::string>& tokens) {
    std::vector<RankedToken> ranked;
    std::map<std::string, uint32_t> ranks;
    for (uint32_t id = 0; id < tokens.size(); ++id) {
        ranked.push_back({tokens[id], id});
        if (!ranks.emplace(tokens[id], id).second) fail("two merges made the same token");
    }
    const auto vocabulary = std::make_shared<const BpeVocabulary>(RankTable(ranked));
    check_files(*vocabulary, text);
    const BpeEncoder encoder(vocabulary, scheme);
    Job job;
    IdBuffer ids;
    encoder.encode(text, ids, job);
    std::vector<uint32_t> expected;
    for (const std::string_view piece : pieces) {
        for (const uint32_t id : naive_ids(piece, ranks)) expected.push_back(id);
    }
    if (!std::ranges::equal(std::vector(ids.data(), ids.data() + ids.size()), expected)) {
        fail("the ids differ from the naive merge's");
    }
    check_long_piece(encoder, text, ranks);
    check_dropout(encoder, std::string(text), expected, tokens);
    std::string decoded;
    for (const uint32_t id : expected) decoded += tokens[id];
    if (decoded != text) fail("the ids' bytes are not the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const Scheme scheme = kSchemes[data[0] % std::size(kSchemes)];
    const std::string text = text_from(data + 2, size - 2);
    const std::vector<size_t> ends = split(scheme, text, 4096);
    if (split(scheme, text, 1 + data[1] % 9) != ends) fail("the split depends on the block's capacity");
    check_safe_cuts(scheme, text, ends);
    const auto pieces = pieces_of(text, ends);
    const std::vector<Merge> merges = check_counting_and_training(scheme, text, pieces);
    check_encoding(scheme, text, pieces, tokens_of(merges));
    return 0;
}
