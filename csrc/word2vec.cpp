#include "word2vec.hpp"

#include <algorithm>
#include <cmath>

#include "word2vec_examples.hpp"
#include "word2vec_kernel.hpp"

namespace nlpkit {

namespace {

constexpr uint64_t CHUNK_TOKENS = 1 << 18;  // read, filtered and subsampled at a time
constexpr uint64_t PIECE_TOKENS = 1 << 14;  // of a chunk, by one thread
constexpr size_t BLOCK_TOKENS = 1 << 10;    // kept tokens trained at one learning rate by one thread
constexpr double LEAST_LR = 1e-4;           // share of the first learning rate, as in the 2013 C code
constexpr double NOISE_POWER = 0.75;        // Mikolov et al. 2013, section 2.2

// What the children of the seed's stream are for.
constexpr uint64_t INITIAL_ROWS = 0, SUBSAMPLING = 1, EXAMPLES = 2;

CounterRandom epoch_random(uint64_t seed, uint64_t purpose, uint64_t epoch) {
    return CounterRandom{seed}.child(purpose).child(epoch);
}

std::vector<double> noise_weights(std::span<const uint64_t> counts) {
    std::vector<double> weights;
    for (const uint64_t count : counts) weights.push_back(std::pow(static_cast<double>(count), NOISE_POWER));
    return weights;
}

/// Rows in the matrices themselves.
struct MatrixRows {
    Matrix& input_matrix;
    Matrix& output_matrix;

    float* input(uint32_t row) { return input_matrix.row(row); }
    float* output(uint32_t row) { return output_matrix.row(row); }
};

/// Trains on the centres `begin` to `end`, filling each example while the rows of the next one are on their way
/// from memory.
template <Architecture ARCHITECTURE, Negatives NEGATIVES, class Rows>
EpochStatistics train_block(const ExampleContext& context, Rows& rows, size_t row_lanes, size_t begin, size_t end,
                            float lr) {
    ExampleSource<ARCHITECTURE, NEGATIVES, Rows> source(context, rows, begin, end);
    const auto make = [&] { return Example(2 * context.options.window, 1 + context.options.negative, row_lanes); };
    Example examples[2] = {make(), make()};
    EpochStatistics statistics;
    size_t turn = 0;
    bool more = source.fill(examples[0]);
    while (more) {
        Example& example = examples[turn];
        turn ^= 1;
        more = source.fill(examples[turn]);
        if constexpr (ARCHITECTURE == Architecture::cbow) {
            statistics.loss += train_mean_example(example, lr);
            statistics.predictions += 1;
        } else {
            statistics.loss += train_example(example, lr);
            for (const float weight : example.input_weights) statistics.predictions += static_cast<uint64_t>(weight);
        }
    }
    return statistics;
}

template <class Rows>
EpochStatistics train_block(const ExampleContext& context, Rows& rows, size_t row_lanes, size_t begin, size_t end,
                            float lr) {
    using enum Architecture;
    using enum Negatives;
    if (context.options.architecture == cbow)
        return train_block<cbow, shared>(context, rows, row_lanes, begin, end, lr);
    if (context.options.negatives == exact)
        return train_block<skipgram, exact>(context, rows, row_lanes, begin, end, lr);
    return train_block<skipgram, shared>(context, rows, row_lanes, begin, end, lr);
}

/// The tokens that stay of one chunk, read in pieces by several threads.
KeptTokens keep_chunk(const TokenStream& corpus, uint64_t begin, uint64_t end, const Subsampler& subsampler,
                      CounterRandom random, unsigned threads) {
    std::vector<KeptTokens> pieces((end - begin + PIECE_TOKENS - 1) / PIECE_TOKENS);
    parallel_for(pieces.size(), threads, [&](size_t i) {
        const uint64_t first = begin + i * PIECE_TOKENS;
        pieces[i] = keep_tokens(corpus, first, std::min(end, first + PIECE_TOKENS), subsampler, random);
    });
    KeptTokens kept;
    for (const KeptTokens& piece : pieces) kept.append(piece);
    return kept;
}

void add(EpochStatistics& total, const EpochStatistics& part) {
    total.loss += part.loss;
    total.predictions += part.predictions;
}

}  // namespace

Word2Vec::Word2Vec(const Word2VecOptions& options, std::span<const uint64_t> counts)
    : options_(options),
      subsampler_(counts, options.sample),
      noise_(noise_weights(counts)),
      input_(counts.size(), options.dim),
      output_(counts.size(), options.dim) {
    const CounterRandom random = epoch_random(options.seed, INITIAL_ROWS, 0);
    for (size_t row = 0; row < input_.rows(); ++row)
        for (size_t k = 0; k < options.dim; ++k)
            input_.row(row)[k] = (unit_interval(random(row * options.dim + k)) - 0.5f) / static_cast<float>(options.dim);
}

float Word2Vec::learning_rate(uint32_t epoch, uint64_t position, uint64_t corpus_size) const {
    const double done = static_cast<double>(epoch) + static_cast<double>(position) / static_cast<double>(corpus_size);
    return static_cast<float>(options_.lr * std::max(1 - done / options_.epochs, LEAST_LR));
}

EpochStatistics Word2Vec::train_epoch(const TokenStream& corpus, uint32_t epoch, unsigned threads, bool hogwild,
                                      Job& job) {
    EpochStatistics total;
    KeptTokens kept;
    size_t cursor = 0;  // the first kept token that was no centre yet
    const ExampleContext context{options_, kept, noise_, epoch_random(options_.seed, EXAMPLES, epoch)};
    const CounterRandom subsampling = epoch_random(options_.seed, SUBSAMPLING, epoch);
    MatrixRows rows{input_, output_};
    for (uint64_t begin = 0; begin < corpus.size(); begin += CHUNK_TOKENS) {
        const uint64_t end = std::min(corpus.size(), begin + CHUNK_TOKENS);
        kept.append(keep_chunk(corpus, begin, end, subsampler_, subsampling, threads));
        // The last window of a chunk waits for the next one, which holds its right-hand contexts.
        const size_t waiting = end == corpus.size() ? 0 : options_.window;
        const size_t ready = kept.rows.size() - std::min(kept.rows.size(), waiting);
        std::vector<EpochStatistics> blocks((std::max(ready, cursor) - cursor + BLOCK_TOKENS - 1) / BLOCK_TOKENS);
        parallel_for(blocks.size(), hogwild ? threads : 1, [&](size_t i) {
            job.check();
            const size_t first = cursor + i * BLOCK_TOKENS;
            const float lr = learning_rate(epoch, kept.positions[first], corpus.size());
            blocks[i] = train_block(context, rows, input_.stride() / LANES, first, std::min(ready, first + BLOCK_TOKENS), lr);
        });
        for (const EpochStatistics& block : blocks) add(total, block);
        if (!std::isfinite(total.loss)) break;  // diverged: the caller tells so, and why
        cursor = std::max(ready, cursor);
        const size_t behind = cursor - std::min<size_t>(cursor, options_.window);
        kept.drop_front(behind);
        cursor -= behind;
        job.done = epoch * corpus.size() + end;
    }
    total.words = kept.words;
    total.kept = kept.kept;
    return total;
}

}  // namespace nlpkit
