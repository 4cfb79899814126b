#include "word2vec.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "task_team.hpp"
#include "word2vec_block.hpp"
#include "word2vec_kernel.hpp"

namespace nlpkit {

namespace {

constexpr uint64_t CHUNK_TOKENS = 1 << 18;  // read, filtered and subsampled at a time
constexpr uint64_t PIECE_TOKENS = 1 << 14;  // of a chunk, by one thread
constexpr size_t HOGWILD_BLOCK = 1 << 10;   // kept tokens that a thread takes at a time
constexpr size_t ROUND_BLOCKS = 8;          // blocks that may be worked at the same time
constexpr size_t MOST_ROUND_BLOCK = 32;     // kept tokens of one of them
constexpr double MOST_ROUND_STEP = 4.5;     // learning rate times scores of the most frequent row, see round_block
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

/// Kept tokens in a block of a round. All blocks of a round start from the same rows, so a row that they all change
/// takes their steps at once; where the steps of the row met most often could overshoot together, rounds are
/// shorter: in small vocabularies, without subsampling, at high learning rates.
size_t round_block(const Word2VecOptions& options, std::span<const uint64_t> counts, const Subsampler& subsampler) {
    const std::vector<double> noise = noise_weights(counts);
    const double total_noise = std::accumulate(noise.begin(), noise.end(), 0.0);
    double total_kept = 0;
    for (size_t row = 0; row < counts.size(); ++row) total_kept += static_cast<double>(counts[row]) * subsampler.share(row);
    const double contexts = options.window + 1;  // of a centre, on average
    const double pairs = options.architecture == Architecture::cbow ? 1 : contexts;
    double most = 0;  // scores that change a row, for each kept token
    for (size_t row = 0; row < counts.size(); ++row) {
        const double share = static_cast<double>(counts[row]) * subsampler.share(row) / total_kept;
        const double as_output = pairs * (share + options.negative * noise[row] / total_noise);
        most = std::max({most, as_output, contexts * share * (1 + options.negative)});
    }
    const double tokens = MOST_ROUND_STEP / (options.lr * most) / static_cast<double>(ROUND_BLOCKS);
    return static_cast<size_t>(std::clamp(tokens, 1.0, static_cast<double>(MOST_ROUND_BLOCK)));
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

/// How a stretch of kept tokens is trained: learning rate, threads, the caller's job.
struct Stretch {
    const PlanSource& source;
    size_t begin;
    size_t end;
    std::function<float(uint64_t)> learning_rate;  // by position
    unsigned threads;
    Job& job;

    size_t blocks(size_t tokens) const { return begin < end ? (end - begin + tokens - 1) / tokens : 0; }
};

/// Threads share the matrices and race for their rows.
std::vector<BlockStatistics> train_hogwild(const Stretch& stretch, SharedRows& rows) {
    std::vector<BlockStatistics> statistics(stretch.blocks(HOGWILD_BLOCK));
    parallel_for(statistics.size(), stretch.threads, [&](size_t i) {
        stretch.job.check();
        BlockWorkspace workspace(stretch.source.options, rows.inputs().stride());
        const size_t first = stretch.begin + i * HOGWILD_BLOCK;
        const size_t last = std::min(stretch.end, first + HOGWILD_BLOCK);
        const float lr = stretch.learning_rate(stretch.source.kept.positions[first]);
        statistics[i] = train_block(stretch.source, first, last, rows, lr, workspace);
    });
    return statistics;
}

/// A block's place in a round.
struct RoundBlock {
    RoundBlock(const PlanSource& source, Matrix& input, Matrix& output, size_t tokens)
        : workspace(source.options, input.stride()),
          rows(source.kept, input, output, tokens + 2 * size_t{source.options.window}, most_outputs(source, tokens)) {}

    static size_t most_outputs(const PlanSource& source, size_t tokens) {
        const PlannedCentre widest{0, 0, 1 + 2 * size_t{source.options.window}};
        const size_t targets = source.negatives_per_pair() ? widest.contexts() : 1;
        return tokens * (targets + source.negatives_of(widest));
    }

    BlockWorkspace workspace;
    BlockRows rows;
};

/// Rounds of ROUND_BLOCKS blocks: each block trains on copies of the rows as they were when the round began, then
/// all changes are added in the order of the blocks. So no result depends on which thread does what.
std::vector<BlockStatistics> train_rounds(const Stretch& stretch, std::vector<RoundBlock>& places, size_t tokens) {
    std::vector<BlockStatistics> statistics(stretch.blocks(tokens));
    TaskTeam team(static_cast<unsigned>(std::min<size_t>(stretch.threads, ROUND_BLOCKS)));
    for (size_t round = 0; round < statistics.size(); round += ROUND_BLOCKS) {
        stretch.job.check();
        const size_t blocks = std::min(statistics.size() - round, ROUND_BLOCKS);
        team.run(static_cast<uint32_t>(blocks), [&](uint32_t i) {
            const size_t first = stretch.begin + (round + i) * tokens;
            const size_t last = std::min(stretch.end, first + tokens);
            const float lr = stretch.learning_rate(stretch.source.kept.positions[first]);
            statistics[round + i] = train_block(stretch.source, first, last, places[i].rows, lr, places[i].workspace);
        });
        team.run(MATRIX_PARTS, [&](uint32_t part) {
            for (size_t i = 0; i < blocks; ++i) {
                const auto& changes = places[i].rows.changes(part);
                apply_changes(changes.data(), changes.size(), places[i].rows.inputs().stride());
            }
        });
    }
    return statistics;
}

}  // namespace

Word2Vec::Word2Vec(const Word2VecOptions& options, std::span<const uint64_t> counts)
    : options_(options),
      subsampler_(counts, options.sample),
      noise_(noise_weights(counts)),
      round_block_(round_block(options, counts, subsampler_)),
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
    std::vector<RoundBlock> places;
    for (size_t i = 0; i < (hogwild ? 0 : ROUND_BLOCKS); ++i) places.emplace_back(source, input_, output_, round_block_);
    for (uint64_t begin = 0; begin < corpus.size(); begin += CHUNK_TOKENS) {
        const uint64_t end = std::min(corpus.size(), begin + CHUNK_TOKENS);
        kept.append(keep_chunk(corpus, begin, end, subsampler_, subsampling, threads));
        // The last window of a chunk waits for the next one, which holds its right-hand contexts.
        const size_t waiting = end == corpus.size() ? 0 : options_.window;
        const size_t ready = std::max(cursor, kept.rows.size() - std::min(kept.rows.size(), waiting));
        const Stretch stretch{source, cursor, ready, [&](uint64_t at) { return learning_rate(epoch, at, corpus.size()); }, threads, job};
        const auto blocks = hogwild ? train_hogwild(stretch, shared) : train_rounds(stretch, places, round_block_);
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
