#include "word2vec/word2vec.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "word2vec/block.hpp"

namespace nlpkit {

namespace {

constexpr uint64_t PIECE_TOKENS = 1 << 14;  // of a chunk, by one thread
constexpr size_t SHARED_BLOCK = 1 << 10;    // kept tokens that a thread takes at a time where rows are shared
constexpr double LEAST_LR = 1e-4;           // share of the first learning rate, as in the 2013 C code

// What the children of the seed's stream are for.
constexpr uint64_t INITIAL_ROWS = 0, SUBSAMPLING = 1, EXAMPLES = 2, HELD_OUT = 3;

CounterRandom epoch_random(uint64_t seed, uint64_t purpose, uint64_t epoch) {
    return CounterRandom{seed}.child(purpose).child(epoch);
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

/// Reads a corpus chunk by chunk, each with the windows that reach into its neighbours.
class ChunkReader {
public:
    ChunkReader(const TokenStream& corpus, const Subsampler& subsampler, CounterRandom random, size_t window,
                unsigned threads)
        : corpus_(corpus), subsampler_(subsampler), random_(random), window_(window), threads_(threads) {}

    /// Goes to a position where a chunk begins: takes up what came before as reading on would have left it.
    void seek(uint64_t position) {
        uint64_t begin = position;
        while (begin > 0 && kept_.rows.size() < 2 * window_) {
            const uint64_t end = begin;
            begin -= std::min(begin, PIECE_TOKENS);
            kept_.prepend(keep_tokens(corpus_, begin, end, subsampler_, random_));
        }
        kept_.words = kept_.kept = 0;
        end_ = kept_.rows.size() - std::min(kept_.rows.size(), window_);
        position_ = position;
    }

    /// Reads the next chunk, which ends at `position`. Its last window of centres waits for the one after it, which
    /// holds their right-hand contexts.
    void read(uint64_t position) {
        const size_t behind = end_ - std::min(end_, window_);
        kept_.drop_front(behind);
        begin_ = end_ - behind;
        kept_.append(keep_chunk(corpus_, position_, position, subsampler_, random_, threads_));
        const size_t waiting = position == corpus_.size() ? 0 : window_;
        end_ = std::max(begin_, kept_.rows.size() - std::min(kept_.rows.size(), waiting));
        position_ = position;
    }

    const KeptTokens& kept() const { return kept_; }
    size_t begin() const { return begin_; }  // the centres that are ready
    size_t end() const { return end_; }

private:
    const TokenStream& corpus_;
    const Subsampler& subsampler_;
    CounterRandom random_;
    size_t window_;
    unsigned threads_;
    KeptTokens kept_;
    size_t begin_ = 0, end_ = 0;
    uint64_t position_ = 0;
};

/// Works through a stretch in blocks, by several threads that share the matrices.
std::vector<BlockStatistics> share_blocks(const Stretch& stretch, SharedRows& rows, size_t row_floats, bool train) {
    std::vector<BlockStatistics> statistics(stretch.blocks(SHARED_BLOCK));
    parallel_for(statistics.size(), stretch.threads, [&](size_t i) {
        stretch.job.check();
        const Block block = stretch.block(i, SHARED_BLOCK);
        BlockWorkspace workspace(stretch.source, row_floats);
        workspace.plan.draw(stretch.source, block.begin, block.end, i % stretch.source.slices());
        statistics[i] = train ? train_block(stretch.source, block.lr, rows, workspace)
                              : score_block(stretch.source, rows, workspace);
    });
    return statistics;
}

}  // namespace

void EpochStatistics::add(const BlockStatistics& block) {
    loss += block.loss;
    predictions += block.predictions;
}

Word2Vec::Word2Vec(const Word2VecOptions& options, std::span<const uint64_t> counts)
    : options_(options),
      subsampler_(counts, options.sample),
      noise_(options.hierarchical() ? std::nullopt : std::optional<Noise>(std::in_place, counts, options.hogwild ? 1 : MOST_BLOCKS)),
      tree_(options.hierarchical() ? std::optional<HuffmanTree>(counts) : std::nullopt),
      round_shape_(options.lr, steps_per_token(counts), noise_ ? noise_->slices() : MOST_BLOCKS),
      input_(counts.size(), options.dim),
      output_(counts.size() - (tree_ ? 1 : 0), options.dim) {
    const CounterRandom random = epoch_random(options.seed, INITIAL_ROWS, 0);
    for (size_t row = 0; row < input_.rows(); ++row)
        for (size_t k = 0; k < options.dim; ++k)
            input_.row(row)[k] = (unit_interval(random(row * options.dim + k)) - 0.5f) / static_cast<float>(options.dim);
}

/// How many scores change the copies of the row that is met most often, for each kept token.
double Word2Vec::steps_per_token(std::span<const uint64_t> counts) const {
    double total_kept = 0, most_kept = 0, path = 0;
    for (size_t row = 0; row < counts.size(); ++row) {
        const double kept = static_cast<double>(counts[row]) * subsampler_.share(row);
        total_kept += kept;
        most_kept = std::max(most_kept, kept);
        if (tree_) path += kept * static_cast<double>(tree_->path(row).size());
    }
    const double contexts = options_.window + 1;  // of a centre, on average
    const double outputs = tree_ ? path / total_kept : 1 + options_.negative;
    const double as_input = contexts * most_kept / total_kept * outputs;
    const double as_root = tree_ ? (options_.cbow() ? 1 : contexts) : 0;
    return std::max(as_input, as_root);
}

float Word2Vec::learning_rate(uint32_t epoch, uint64_t position, uint64_t corpus_size) const {
    const double done = static_cast<double>(epoch) + static_cast<double>(position) / static_cast<double>(corpus_size);
    return static_cast<float>(options_.lr * std::max(1 - done / options_.epochs, LEAST_LR));
}

EpochStatistics Word2Vec::train(const TokenStream& corpus, Progress from, uint64_t to, unsigned threads, Job& job) {
    ChunkReader reader(corpus, subsampler_, epoch_random(options_.seed, SUBSAMPLING, from.epoch), options_.window, threads);
    const PlanSource source{options_, reader.kept(), noise_ ? &*noise_ : nullptr, tree_ ? &*tree_ : nullptr,
                            epoch_random(options_.seed, EXAMPLES, from.epoch)};
    SharedRows shared{reader.kept(), input_, output_};
    RoundTrainer rounds(source, input_, output_, round_shape_);
    const auto rate_at = [&](uint64_t position) { return learning_rate(from.epoch, position, corpus.size()); };
    // Where the noise can't be dealt out, the vocabulary is so small that a round's copies would all be stale: one
    // thread then trains in place, without rounds.
    const bool alone = !options_.hogwild && noise_ && noise_->slices() == 1;
    const bool in_place = options_.hogwild || alone;
    EpochStatistics total;
    job.done = from.epoch * corpus.size() + from.position;
    reader.seek(from.position);
    for (uint64_t begin = from.position; begin < to; begin += CHUNK_TOKENS) {
        const uint64_t end = std::min(corpus.size(), begin + CHUNK_TOKENS);
        reader.read(end);
        const Stretch stretch{source, reader.begin(), reader.end(), rate_at, alone ? 1 : threads, job};
        for (const BlockStatistics& block :
             in_place ? share_blocks(stretch, shared, input_.stride(), true) : rounds.train(stretch))
            total.add(block);
        if (!std::isfinite(total.loss)) break;  // diverged: the caller tells so, and why
        job.done = from.epoch * corpus.size() + end;
    }
    total.words = reader.kept().words;
    total.kept = reader.kept().kept;
    return total;
}

EpochStatistics Word2Vec::evaluate(const TokenStream& corpus, unsigned threads, Job& job) {
    ChunkReader reader(corpus, subsampler_, epoch_random(options_.seed, HELD_OUT, 0), options_.window, threads);
    const PlanSource source{options_, reader.kept(), noise_ ? &*noise_ : nullptr, tree_ ? &*tree_ : nullptr,
                            epoch_random(options_.seed, HELD_OUT, 1)};
    SharedRows shared{reader.kept(), input_, output_};
    const auto no_rate = [](uint64_t) { return 0.0f; };
    EpochStatistics total;
    for (uint64_t begin = 0; begin < corpus.size(); begin += CHUNK_TOKENS) {
        const uint64_t end = std::min(corpus.size(), begin + CHUNK_TOKENS);
        reader.read(end);
        const Stretch stretch{source, reader.begin(), reader.end(), no_rate, threads, job};
        for (const BlockStatistics& block : share_blocks(stretch, shared, input_.stride(), false)) total.add(block);
        job.done = end;
    }
    total.words = reader.kept().words;
    total.kept = reader.kept().kept;
    return total;
}

}  // namespace nlpkit
