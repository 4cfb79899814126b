// Text in runs of one script, and what of a tokenization falls into each.
//
// Scripts are those of Unicode (UAX #24). Characters that belong to none (digits, marks of punctuation, white space,
// combining marks) go with the run before them, at a document's beginning with the first one; but white space right
// before a run begins it, since there a token of byte-level BPE begins too. Japanese is written in several scripts at
// once: hiragana and katakana are Japanese, and so is Han in a document where of kana and Han together every tenth
// character or more is kana.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nlpkit {

/// The name of each script by its number; 0, "Common", is text without any letter.
const std::vector<std::string_view>& script_names();

struct ScriptRun {
    uint64_t bytes;       // its length
    uint32_t characters;  // code points
    uint32_t words;       // stretches between white space, as str.split() finds them, cut where a run ends
    uint8_t script;       // of script_names()
};

/// Appends the runs of a document, valid UTF-8, in order; none for an empty one.
void append_script_runs(std::string_view text, std::vector<ScriptRun>& runs);

/// What ends in a stretch of text: tokens, and characters that tokens cut in two or more.
struct StretchTokens {
    uint64_t tokens = 0, split_characters = 0;
};

/// Tokens by stretch of text. `texts` lie end to end; `ends` are those of the tokens in them, and `stretches` those
/// of the stretches, which cut no character, both rising. Throws std::invalid_argument where a token ends beyond.
std::vector<StretchTokens> measure_stretches(std::span<const std::string_view> texts, std::span<const uint64_t> ends,
                                             std::span<const uint64_t> stretches);

/// Where each word (str.split()) of texts that lie end to end ends.
std::vector<uint64_t> word_ends(std::span<const std::string_view> texts);

}  // namespace nlpkit
