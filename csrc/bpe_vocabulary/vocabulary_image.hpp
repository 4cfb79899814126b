// A vocabulary as bytes from which it is ready some ten times sooner than from its rank table.
//
// What takes time is finding what each token is merged from; an image holds that beside the tokens, and where
// their bytes are found in the hash table. docs/formats.md has the layout.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bpe_vocabulary/vocabulary.hpp"

namespace nlpkit {

std::string to_image(const BpeVocabulary& vocabulary);

/// The vocabulary of an image; nothing where the bytes are not just what `to_image` of this version wrote. Bytes
/// made up to pass the checksum may give wrong ids, but touch no memory that is not theirs.
std::optional<BpeVocabulary> from_image(std::string_view image);

}  // namespace nlpkit
