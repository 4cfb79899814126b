// The vocabulary that encoders and decoders share, as Python holds it.
#pragma once

#include <memory>
#include <utility>

#include "bpe_vocabulary/vocabulary.hpp"

namespace nlpkit {

struct PyBpeVocabulary {
    explicit PyBpeVocabulary(BpeVocabulary made) : shared(std::make_shared<const BpeVocabulary>(std::move(made))) {}

    std::shared_ptr<const BpeVocabulary> shared;
};

}  // namespace nlpkit
