// Counting the pre-tokens of documents on several threads, in memory or beyond it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_training/counts_file.hpp"
#include "bpe_training/pretoken_table.hpp"
#include "pretokenizer/pretokenizer.hpp"
#include "support/job.hpp"

namespace nlpkit {

/// The pre-tokens of any number of documents. Every document bounds pre-tokens.
class PretokenCounts {
   public:
    /// Tables that would take more than `max_memory` bytes together move their counts to sorted files, named
    /// `prefix` and a number; see take_runs.
    explicit PretokenCounts(size_t max_memory = SIZE_MAX, std::string prefix = {})
        : max_memory_(max_memory), prefix_(std::move(prefix)) {}
    PretokenCounts(const PretokenCounts&) = delete;
    PretokenCounts& operator=(const PretokenCounts&) = delete;

    /// Splits documents (valid UTF-8) by `scheme` and counts each pre-token `weight` times, on up to
    /// `threads` threads; `job.done` advances by the bytes read. The counts do not depend on `threads`.
    void add_documents(Job& job, std::span<const std::string_view> documents, Scheme scheme, uint64_t weight,
                       unsigned threads);

    /// Adds a pre-token that was split elsewhere.
    void add_piece(const Job& job, std::string_view piece, uint64_t count);

    /// The counts in memory, of all threads together.
    PretokenTable& table();

    /// Moves all counts in memory to files, and gives the memory back.
    void spill(const Job& job);

    /// The files written since the last call. They are the caller's from now on.
    std::vector<RecordRange> take_runs();

    /// The bytes of memory in use.
    size_t memory() const;

    /// Forgets the counts in memory and gives it back.
    void clear() { tables_.clear(); }

   private:
    struct Stretch {
        std::string_view text;  // up to where it ends
        size_t begin;
    };

    void prepare(unsigned threads);
    static std::vector<Stretch> cut(std::span<const std::string_view> documents, unsigned threads);
    void count(Job& job, const Stretch& stretch, Scheme scheme, uint64_t weight, PretokenTable& table);
    void make_room(const Job& job, PretokenTable& table, size_t pretokens, size_t bytes);
    void spill_table(const Job& job, PretokenTable& table);

    size_t max_memory_;
    std::string prefix_;
    std::vector<PretokenTable> tables_;  // one a thread; the first is the only one left after table()
    std::mutex mutex_;                   // of what follows
    std::vector<RecordRange> runs_;
    size_t written_ = 0;
};

}  // namespace nlpkit
