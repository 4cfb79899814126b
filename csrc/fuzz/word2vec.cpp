// Fuzz target: word2vec on shards of any ids, cut anywhere, with documents of any length.
//
//   refuse     an id that the vocabulary lacks is refused, and no other
//   train      one thread and three give the same vectors, all of them finite numbers
#include <cmath>
#include <stdexcept>

#include "fuzz/fuzz.hpp"
#include "word2vec/word2vec.hpp"

namespace {

using namespace nlpkit;

struct Corpus {
    std::vector<std::vector<uint16_t>> narrow;
    std::vector<std::vector<uint32_t>> wide;
    std::vector<uint64_t> offsets{0};
    std::vector<int32_t> row_of_id;
    bool all_known = true;

    TokenStream stream() const {
        TokenStream stream{{}, offsets, row_of_id};
        for (size_t i = 0; i < narrow.size(); ++i) {
            stream.shards.push_back({narrow[i].data(), narrow[i].size(), false});
            stream.shards.push_back({wide[i].data(), wide[i].size(), true});
        }
        return stream;
    }
};

Corpus choose_corpus(Choices& choices, size_t rows) {
    Corpus corpus;
    const size_t ids = rows + choices.below(4);
    for (size_t id = 0; id < ids; ++id) corpus.row_of_id.push_back(static_cast<int32_t>(choices.below(rows + 1)) - 1);
    const size_t sum = 1 + choices.below(4);
    const uint64_t above = choices.byte() % 8 == 0 ? ids + 2 : ids;
    uint64_t total = 0;
    for (size_t shard = 0; shard < sum; ++shard) {
        corpus.narrow.emplace_back();
        corpus.wide.emplace_back();
        for (size_t n = choices.below(120); n > 0; --n, ++total) {
            const uint64_t id = choices.byte() % above;
            corpus.all_known = corpus.all_known && id < ids;
            if (n % 2 == 0) {
                corpus.narrow.back().push_back(static_cast<uint16_t>(id));
            } else {
                corpus.wide.back().push_back(static_cast<uint32_t>(id));
            }
        }
    }
    while (corpus.offsets.back() < total) {
        const uint64_t length = choices.byte() % 4 == 0 ? 0 : 1 + choices.below(40);
        if (length == 0 && corpus.offsets.size() > 100) corpus.offsets.push_back(total);
        corpus.offsets.push_back(std::min(total, corpus.offsets.back() + length));
    }
    return corpus;
}

/// Trains on `threads` threads; false where an id was refused.
bool train(Word2Vec& model, const Corpus& corpus, unsigned threads) {
    Job job;
    const TokenStream stream = corpus.stream();
    try {
        for (uint32_t epoch = 0; epoch < model.options().epochs; ++epoch) {
            model.train(stream, {epoch, 0}, stream.size(), threads, job);
        }
    } catch (const std::out_of_range&) {
        return false;
    }
    return true;
}

void compare(Matrix& one, Matrix& other) {
    for (size_t row = 0; row < one.rows(); ++row) {
        for (size_t i = 0; i < one.dim(); ++i) {
            if (!std::isfinite(one.row(row)[i])) fail("a vector is not finite");
            if (one.row(row)[i] != other.row(row)[i]) fail("the vectors depend on the number of threads");
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Choices choices(data, size);
    Word2VecOptions options;
    options.dim = static_cast<uint32_t>(1 + choices.below(20));
    options.window = static_cast<uint32_t>(1 + choices.below(12));
    options.negative = static_cast<uint32_t>(choices.below(8));
    options.epochs = static_cast<uint32_t>(1 + choices.below(2));
    options.sample = choices.byte() % 2 == 0 ? 0 : 1e-2;
    options.architecture = static_cast<Architecture>(choices.below(3));
    options.objective = static_cast<Objective>(choices.below(2));
    options.negatives = choices.byte() % 2 == 0 ? Negatives::shared : Negatives::exact;
    const size_t rows = 2 + choices.below(30);
    std::vector<uint64_t> counts;
    for (size_t row = 0; row < rows; ++row) counts.push_back(1 + choices.below(500));
    const Corpus corpus = choose_corpus(choices, rows);
    Word2Vec one(options, counts), three(options, counts);
    const bool trained = train(one, corpus, 1);
    if (trained != corpus.all_known) fail("an id is refused or taken wrongly");
    if (train(three, corpus, 3) != trained) fail("whether an id is refused depends on the number of threads");
    if (!trained) return 0;
    compare(one.input(), three.input());
    compare(one.output(), three.output());
    return 0;
}
