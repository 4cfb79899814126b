#include "bpe_training/pretoken_counts.hpp"

#include <algorithm>
#include <array>

#include "bpe_training/text_cuts.hpp"

namespace nlpkit {

namespace {

/// Ends of pre-tokens found at once, which the table then takes in one go.
constexpr size_t kBatch = 256;
/// Longer documents are cut, so that several threads can share them.
constexpr size_t kStretch = size_t{512} << 10;

}  // namespace

void PretokenCounts::prepare(unsigned threads) {
    if (tables_.size() < threads) tables_.resize(threads);
}

std::vector<PretokenCounts::Stretch> PretokenCounts::cut(std::span<const std::string_view> documents,
                                                         unsigned threads) {
    std::vector<Stretch> stretches;
    for (const std::string_view document : documents) {
        for (size_t begin = 0; begin < document.size();) {
            size_t end = document.size();
            if (threads > 1 && end - begin >= 2 * kStretch) end = next_cut(document, begin + kStretch);
            stretches.push_back({document.substr(0, end), begin});
            begin = end;
        }
    }
    return stretches;
}

void PretokenCounts::add_documents(Job& job, std::span<const std::string_view> documents, Scheme scheme,
                                   uint64_t weight, unsigned threads) {
    const std::vector<Stretch> stretches = cut(documents, threads);
    const auto workers = static_cast<unsigned>(std::clamp<size_t>(stretches.size(), 1, threads));
    prepare(workers);
    std::atomic<size_t> next{0};
    parallel_for(workers, workers, [&](size_t worker) {
        for (size_t index = next++; index < stretches.size(); index = next++) {
            count(job, stretches[index], scheme, weight, tables_[worker]);
        }
    });
}

void PretokenCounts::count(Job& job, const Stretch& stretch, Scheme scheme, uint64_t weight,
                           PretokenTable& table) {
    std::array<size_t, kBatch> ends;
    const std::string_view text = stretch.text;
    for (size_t begin = stretch.begin; begin < text.size();) {
        job.check();
        const size_t n = pretokenize(scheme, text, begin, ends.data(), ends.size());
        make_room(job, table, n, ends[n - 1] - begin);
        table.add_all(text, begin, ends.data(), n, weight);
        job.done += ends[n - 1] - begin;
        begin = ends[n - 1];
    }
}

void PretokenCounts::add_piece(const Job& job, std::string_view piece, uint64_t count) {
    prepare(1);
    make_room(job, tables_[0], 1, piece.size());
    tables_[0].add(piece, count);
}

/// Empties the table where its share of the memory could be too little for what comes.
void PretokenCounts::make_room(const Job& job, PretokenTable& table, size_t pretokens, size_t bytes) {
    const size_t share = max_memory_ / tables_.size();
    if (table.size() > 0 && !table.has_room(pretokens, bytes, share)) spill_table(job, table);
}

void PretokenCounts::spill_table(const Job& job, PretokenTable& table) {
    std::unique_lock lock(mutex_);
    const std::string path = prefix_ + std::to_string(++written_);
    lock.unlock();
    RecordWriter writer(path);
    table.for_each_sorted(job, [&](std::string_view pretoken, uint64_t count) { writer.write(pretoken, count); });
    writer.finish();
    table.clear();
    lock.lock();
    runs_.push_back({path, 0, writer.bytes()});
}

PretokenTable& PretokenCounts::table() {
    prepare(1);
    while (tables_.size() > 1) {
        tables_[0].add_table(tables_.back());
        tables_.pop_back();
    }
    return tables_[0];
}

void PretokenCounts::spill(const Job& job) {
    for (PretokenTable& table : tables_) {
        if (table.size() > 0) spill_table(job, table);
    }
    clear();
}

std::vector<RecordRange> PretokenCounts::take_runs() {
    const std::lock_guard lock(mutex_);
    return std::exchange(runs_, {});
}

size_t PretokenCounts::memory() const {
    size_t total = 0;
    for (const PretokenTable& table : tables_) total += table.memory();
    return total;
}

}  // namespace nlpkit
