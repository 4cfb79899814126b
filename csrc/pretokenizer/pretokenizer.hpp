// Pre-tokenization: cutting UTF-8 text into the pieces that byte-pair encoding works within.
//
// Each scheme gives exactly what its split pattern gives in tiktoken's regex engine with Unicode 16.0; the
// patterns are in nlpkit/tokenization/patterns.py under the same names, the facts in docs/pretokenization.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nlpkit {

/// A split pattern that has a scanner here.
enum class Scheme : uint8_t {
    gpt2,      ///< GPT-2, r50k and p50k
    cl100k,    ///< cl100k as tiktoken spells it: white space at the very end of the text is one piece
    o200k,     ///< o200k: words are cut by case and carry their contraction
    llama3,    ///< cl100k's first spelling (Llama 3, minbpe, rustbpe), without that rule
    qwen2,     ///< llama3 with single digits
    nanochat,  ///< llama3 with digits by two
};

/// The scheme of that name, if there is one.
std::optional<Scheme> scheme_from_name(std::string_view name);

/// Writes up to `capacity` ends (byte offsets into `text`) of the pre-tokens from `begin` on and returns how
/// many: 0 only where `begin` is the end of the text. Call again with `begin` = the last end until there: the
/// pieces that follow an end don't depend on what was before it. With room for 64 ends or more, text is
/// scanned by blocks and a call may stop up to 63 short of `capacity`; with less, it goes piece by piece, and
/// several times slower. `text` is valid UTF-8 and `begin` one of its piece ends or 0.
size_t pretokenize(Scheme scheme, std::string_view text, size_t begin, size_t* ends, size_t capacity);

/// The classes of a code point (at most 0x10FFFF), as bits of unicode::Class.
uint8_t class_bits(uint32_t code_point);

}  // namespace nlpkit
