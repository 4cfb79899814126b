// Counting pre-tokens: each unique one once in an arena, with a 64-bit count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "support/growing_array.hpp"
#include "support/job.hpp"
#include "pretokenizer/pretokenizer.hpp"

namespace nlpkit {

/// Unique pre-tokens and their counts, wherever they lie.
class PretokenSource {
   public:
    using Visit = std::function<void(std::string_view pretoken, uint64_t count)>;

    virtual ~PretokenSource() = default;

    /// Calls `visit` for each unique pre-token, every time in the same order.
    virtual void for_each(const Visit& visit) const = 0;
};

/// A hash table of byte strings with counts, for one thread at a time.
///
/// An entry is `count, hash << 32 | length, bytes...` in whole words of the arena, the last one padded with
/// zeros; a slot is `hash << 32 | index of the entry`, 0 when empty. So a hit costs two cache misses, and the
/// slots can be rebuilt from the arena alone.
class PretokenTable : public PretokenSource {
   public:
    PretokenTable();

    /// Adds `count` to one pre-token. Throws std::length_error past 2^32 bytes of one, or 32 GiB of all.
    void add(std::string_view pretoken, uint64_t count);

    /// Adds `count` to each of the `n` pre-tokens of `text` from `begin` on that end at `ends`.
    void add_all(std::string_view text, size_t begin, const size_t* ends, size_t n, uint64_t count);

    /// Adds everything in `other`.
    void add_table(const PretokenTable& other);

    size_t size() const { return size_; }

    /// The bytes of memory in use, those that for_each_sorted would take included.
    size_t memory() const { return 8 * (arena_.size() + slots_.size()) + 4 * size_; }

    /// In order of first sight.
    void for_each(const Visit& visit) const override;

    /// In ascending order of the bytes.
    void for_each_sorted(const Visit& visit) const;

   private:
    static size_t entry_words(size_t length) { return 2 + (length + 7) / 8; }
    static std::string_view pretoken_of(const uint64_t* entry) {
        return {reinterpret_cast<const char*>(entry + 2), entry[1] & UINT32_MAX};
    }
    void add_hashed(std::string_view pretoken, uint32_t hash, uint64_t count);
    void insert(size_t slot, std::string_view pretoken, uint32_t hash, uint64_t count);
    void grow();

    GrowingArray<uint64_t> arena_;
    std::vector<uint64_t> slots_;
    unsigned shift_;  // a slot's number is hash >> shift_
    size_t size_ = 0;
};

/// The pre-tokens of any number of documents. Every document bounds pre-tokens.
class PretokenCounts {
   public:
    PretokenCounts() = default;
    PretokenCounts(const PretokenCounts&) = delete;
    PretokenCounts& operator=(const PretokenCounts&) = delete;

    /// Splits documents (valid UTF-8) by `scheme` and counts each pre-token `weight` times, on up to
    /// `threads` threads; `job.done` advances by the bytes read. The counts do not depend on `threads`.
    void add_documents(Job& job, std::span<const std::string_view> documents, Scheme scheme, uint64_t weight,
                       unsigned threads);

    /// Adds a pre-token that was split elsewhere.
    void add_piece(std::string_view piece, uint64_t count);

    /// The counts of all threads together.
    const PretokenTable& table();

    /// The bytes of memory in use.
    size_t memory() const;

    /// Forgets everything and gives the memory back.
    void clear() { tables_.clear(); }

   private:
    void prepare(unsigned threads);

    std::vector<PretokenTable> tables_;  // one a thread; the first is the only one left after table()
};

}  // namespace nlpkit
