// What can be chosen about word2vec.
#pragma once

#include <cstdint>

namespace nlpkit {

enum class Architecture : uint8_t { skipgram, cbow };

/// `exact` draws negatives for each (centre, context) pair as the 2013 C code does; `shared` draws them once
/// for each centre and scores them against all its contexts.
enum class Negatives : uint8_t { shared, exact };

struct Word2VecOptions {
    uint32_t dim = 100;
    uint32_t window = 5;
    uint32_t negative = 5;
    uint32_t epochs = 5;
    double lr = 0.025;
    double sample = 1e-3;
    Architecture architecture = Architecture::skipgram;
    Negatives negatives = Negatives::shared;
    uint64_t seed = 1;
};

}  // namespace nlpkit
