// What can be chosen about word2vec.
#pragma once

#include <cstdint>

namespace nlpkit {

/// What predicts: each context alone, or for CBOW the mean or the sum of a centre's contexts.
enum class Architecture : uint8_t { skipgram, cbow, cbow_sum };

/// What is predicted: the centre against noise words, or its path in a Huffman tree.
enum class Objective : uint8_t { negative_sampling, hierarchical_softmax };

/// `exact` draws negatives and takes a step for each (centre, context) pair as the 2013 C code does; `shared` draws
/// negatives once for each centre and takes one step with all its contexts.
enum class Negatives : uint8_t { shared, exact };

struct Word2VecOptions {
    uint32_t dim = 100;
    uint32_t window = 5;
    uint32_t negative = 5;
    uint32_t epochs = 5;
    double lr = 0.025;
    double sample = 1e-3;
    Architecture architecture = Architecture::skipgram;
    Objective objective = Objective::negative_sampling;
    Negatives negatives = Negatives::shared;
    uint64_t seed = 1;
    bool hogwild = false;  // threads race for the same rows

    bool cbow() const { return architecture != Architecture::skipgram; }
    bool hierarchical() const { return objective == Objective::hierarchical_softmax; }
    /// Whether each (centre, context) pair takes a step of its own.
    bool steps_per_pair() const { return !cbow() && negatives == Negatives::exact; }
};

}  // namespace nlpkit
