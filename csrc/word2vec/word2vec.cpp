#include "word2vec/word2vec.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "word2vec/block.hpp"

namespace nlpkit {

namespace {

constexpr uint64_t CHUNK_TOKENS = 1 << 18;  // read, filtered and subsampled at a time
constexpr uint64_t PIECE_TOKENS = 1 << 14;  // of a chunk, by one thread
constexpr size_t HOGWILD_BLOCK = 1 << 10;   // kept tokens that a thread takes at a time
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

/// How many scores change the row that is met most often, for each kept token.
double changes_per_token(const Word2VecOptions& options, std::span<const uint64_t> counts, const Subsampler& subsampler) {
    const std::vector<double> noise = noise_weights(counts);
    const double total_noise = std::accumulate(noise.begin(), noise.end(), 0.0);
    double total_kept = 0;
    for (size_t row = 0; row < counts.size(); ++row) total_kept += static_cast<double>(counts[row]) * subsampler.share(row);
    const double contexts = options.window + 1;  // of a centre, on average
    const double pairs = options.architecture == Architecture::cbow ? 1 : contexts;
    double most = 0;
    for (size_t row = 0; row < counts.size(); ++row) {
        const double share = static_cast<double>(counts[row]) * subsampler.share(row) / total_kept;
        const double as_output = pairs * (share + options.negative * noise[row] / total_noise);
        const double as_input = contexts * share * (1 + options.negative);
        most = std::max({most, as_output, as_input});
    }
    return most;
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

/// Threads share the matrices and race for their rows.
std::vector<BlockStatistics> train_hogwild(const Stretch& stretch, SharedRows& rows) {
    std::vector<BlockStatistics> statistics(stretch.blocks(HOGWILD_BLOCK));
    parallel_for(statistics.size(), stretch.threads, [&](size_t i) {
        stretch.job.check();
        BlockWorkspace workspace(stretch.source.options, rows.inputs().stride());
        statistics[i] = train_block(stretch.source, stretch.block(i, HOGWILD_BLOCK), rows, workspace);
    });
    return statistics;
}

}  // namespace

Word2Vec::Word2Vec(const Word2VecOptions& options, std::span<const uint64_t> counts)
    : options_(options),
      subsampler_(counts, options.sample),
      noise_(noise_weights(counts)),
      round_shape_(options, changes_per_token(options, counts, subsampler_)),
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
    KeptTokens kept;
    size_t cursor = 0;  // the first kept token that was no centre yet
    EpochStatistics total;
    const PlanSource source{options_, kept, noise_, epoch_random(options_.seed, EXAMPLES, epoch)};
    const CounterRandom subsampling = epoch_random(options_.seed, SUBSAMPLING, epoch);
    SharedRows shared{kept, input_, output_};
    RoundTrainer rounds(source, input_, output_, round_shape_);
    for (uint64_t begin = 0; begin < corpus.size(); begin += CHUNK_TOKENS) {
        const uint64_t end = std::min(corpus.size(), begin + CHUNK_TOKENS);
        kept.append(keep_chunk(corpus, begin, end, subsampler_, subsampling, threads));
        // The last window of a chunk waits for the next one, which holds its right-hand contexts.
        const size_t waiting = end == corpus.size() ? 0 : options_.window;
        const size_t ready = std::max(cursor, kept.rows.size() - std::min(kept.rows.size(), waiting));
        const auto rate_at = [&](uint64_t position) { return learning_rate(epoch, position, corpus.size()); };
        const Stretch stretch{source, cursor, ready, rate_at, threads, job};
        const auto blocks = hogwild ? train_hogwild(stretch, shared) : rounds.train(stretch);
        for (const BlockStatistics& block : blocks) {
            total.loss += block.loss;
            total.predictions += block.predictions;
        }
        if (!std::isfinite(total.loss)) break;  // diverged: the caller tells so, and why
        const size_t behind = ready - std::min<size_t>(ready, options_.window);
        kept.drop_front(behind);
        cursor = ready - behind;
        job.done = epoch * corpus.size() + end;
    }
    total.words = kept.words;
    total.kept = kept.kept;
    return total;
}

}  // namespace nlpkit
