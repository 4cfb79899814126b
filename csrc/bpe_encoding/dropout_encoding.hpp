// Documents encoded with BPE-dropout, on several threads; the same ids for any number of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "bpe_encoding/encoder.hpp"
#include "bpe_encoding/special_matcher.hpp"

namespace nlpkit {

/// How likely a merge is left out, and what the random numbers follow from: document i of a call draws those of
/// document first_document + i under the seed, and in it each piece those of the place where it begins. So what
/// comes out of a text depends on nothing around it.
struct Dropout {
    double probability;
    uint64_t seed;
    uint64_t first_document;
};

/// Encodes documents; what `specials`, if any, finds in them becomes its ids, and `after`, if any, is appended to
/// each. The encoder has a scheme.
RaggedIds encode_with_dropout(const BpeEncoder& encoder, const std::vector<std::string_view>& texts,
                              const SpecialMatcher* specials, std::optional<uint32_t> after, const Dropout& dropout,
                              unsigned threads, Job& job);

/// Appends the ids of pieces that follow each other in document `first_document`, from byte `offset` on.
void encode_pieces_with_dropout(const BpeEncoder& encoder, const std::vector<std::string_view>& pieces,
                                size_t offset, const Dropout& dropout, IdBuffer& out, const Job& job);

}  // namespace nlpkit
