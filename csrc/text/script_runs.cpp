#include "text/script_runs.hpp"

#include <iterator>
#include <stdexcept>

#include "text/script_tables.hpp"
#include "words/split_words.hpp"

namespace nlpkit {

namespace {

constexpr uint8_t number_of(std::string_view name) {
    for (uint8_t i = 0; i < std::size(script_tables::names); ++i) {
        if (name == script_tables::names[i]) return i;
    }
    throw std::logic_error("there is no such script");
}

constexpr uint8_t kCommon = number_of("Common");
constexpr uint8_t kLatin = number_of("Latin");
constexpr uint8_t kHan = number_of("Han");
constexpr uint8_t kHiragana = number_of("Hiragana");
constexpr uint8_t kKatakana = number_of("Katakana");
constexpr uint8_t kJapanese = std::size(script_tables::names);  // none of Unicode's
constexpr size_t kCharactersAKana = 10;  // in Japanese, so many characters of Han and kana have a kana among them

constexpr uint8_t script_number(unsigned high, unsigned middle, unsigned low) {
    return script_tables::leaves[script_tables::branches[script_tables::roots[high] + middle] + low];
}

struct Character {
    uint8_t script;
    uint8_t length;
};

/// The character at `p`, in valid UTF-8.
NLPKIT_INLINE Character character_at(const char* p) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(p[i]); };
    const unsigned lead = byte(0);
    if (lead < 0x80) return {(lead | 0x20) - 'a' < 26 ? kLatin : kCommon, 1};
    if (lead < 0xE0) return {script_number(0, lead & 31, byte(1) & 63u), 2};
    if (lead < 0xF0) return {script_number(lead & 15, byte(1) & 63u, byte(2) & 63u), 3};
    return {script_number((lead & 7) << 6 | (byte(1) & 63u), byte(2) & 63u, byte(3) & 63u), 4};
}

bool is_kana(uint8_t script) { return script == kHiragana || script == kKatakana; }

bool is_japanese(std::string_view text) {
    size_t kana = 0, han = 0;
    for (size_t at = 0; at < text.size();) {
        if (static_cast<uint8_t>(text[at]) < 0x80) {
            ++at;
            continue;
        }
        const Character character = character_at(text.data() + at);
        kana += is_kana(character.script);
        han += character.script == kHan;
        at += character.length;
    }
    return kana > 0 && kana * kCharactersAKana >= kana + han;
}

/// The runs of one document while its characters come.
class RunMaker {
   public:
    explicit RunMaker(std::vector<ScriptRun>& runs) : runs_(runs) {}

    NLPKIT_INLINE void add_white(size_t length) {
        if (!after_white_) before_white_ = run_;
        after_white_ = true;
        add(length);
    }

    NLPKIT_INLINE void add_character(uint8_t script, size_t length) {
        bool begins_word = after_white_ || run_.characters == 0;
        if (script != kCommon && script != run_.script) {
            if (run_.script != kCommon) {
                begin_run();
                begins_word = true;
            }
            run_.script = script;
        }
        run_.words += begins_word;
        after_white_ = false;
        add(length);
    }

    void end() {
        if (run_.bytes > 0) runs_.push_back(run_);
    }

   private:
    NLPKIT_INLINE void add(size_t length) {
        run_.bytes += length;
        ++run_.characters;
    }

    /// Ends the run before the white space that has just been, if any.
    void begin_run() {
        ScriptRun next{};
        if (after_white_) {
            next.bytes = run_.bytes - before_white_.bytes;
            next.characters = run_.characters - before_white_.characters;
            run_ = before_white_;
        }
        runs_.push_back(run_);
        run_ = next;
    }

    std::vector<ScriptRun>& runs_;
    ScriptRun run_{}, before_white_{};
    bool after_white_ = false;
};

/// Where the character that holds byte `at` of a text begins.
size_t character_begin(std::string_view text, size_t at) {
    while ((static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
    return at;
}

}  // namespace

const std::vector<std::string_view>& script_names() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all(std::begin(script_tables::names), std::end(script_tables::names));
        all.push_back("Japanese");
        return all;
    }();
    return names;
}

void append_script_runs(std::string_view text, std::vector<ScriptRun>& runs) {
    const uint8_t han = is_japanese(text) ? kJapanese : kHan;
    RunMaker maker(runs);
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        if (const size_t white = white_length(at, end)) {
            maker.add_white(white);
            at += white;
            continue;
        }
        Character character = character_at(at);
        if (is_kana(character.script)) character.script = kJapanese;
        if (character.script == kHan) character.script = han;
        maker.add_character(character.script, character.length);
        at += character.length;
    }
    maker.end();
}

std::vector<StretchTokens> measure_stretches(std::span<const std::string_view> texts, std::span<const uint64_t> ends,
                                             std::span<const uint64_t> stretches) {
    std::vector<StretchTokens> measured(stretches.size());
    size_t text = 0, stretch = 0;
    uint64_t begin = 0;          // of the text
    uint64_t last_split = UINT64_MAX;  // where the character begins that was last found to be cut
    for (const uint64_t end : ends) {
        while (text < texts.size() && end > begin + texts[text].size()) begin += texts[text++].size();
        while (stretch < stretches.size() && end > stretches[stretch]) ++stretch;
        if (text == texts.size() || stretch == stretches.size()) {
            throw std::invalid_argument("a token ends beyond the text");
        }
        ++measured[stretch].tokens;
        if (end == begin + texts[text].size()) continue;
        const uint64_t character = begin + character_begin(texts[text], end - begin);
        if (character == end || character == last_split) continue;
        ++measured[stretch].split_characters;
        last_split = character;
    }
    return measured;
}

std::vector<uint64_t> word_ends(std::span<const std::string_view> texts) {
    std::vector<uint64_t> ends;
    uint64_t begin = 0;
    for (const std::string_view text : texts) {
        split_words(text, [&](std::string_view word) {
            ends.push_back(begin + static_cast<uint64_t>(word.data() - text.data()) + word.size());
        });
        begin += text.size();
    }
    return ends;
}

}  // namespace nlpkit
