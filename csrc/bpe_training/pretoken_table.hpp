// A hash table of pre-tokens: each unique one once in an arena, with a 64-bit count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bpe_training/pretoken_source.hpp"
#include "support/growing_array.hpp"
#include "support/job.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

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

    /// Could `pretokens` of together `bytes` be new here and the table still take at most `limit` bytes?
    bool has_room(size_t pretokens, size_t bytes, size_t limit) const;

    size_t size() const { return size_; }

    /// The bytes of memory in use.
    size_t memory() const { return 8 * (arena_.size() + slot_count()); }

    /// In order of first sight.
    void for_each(const Job& job, const VisitPretoken& visit) const override;

    /// In ascending order of the bytes.
    void for_each_sorted(const Job& job, const VisitPretoken& visit);

    /// Forgets all pre-tokens and keeps the memory for others.
    void clear();

    /// The pre-token of an entry.
    static std::string_view pretoken_of(const uint64_t* entry) {
        return {reinterpret_cast<const char*>(entry + 2), entry[1] & UINT32_MAX};
    }

   private:
    static size_t entry_words(size_t length) { return 2 + (length + 7) / 8; }
    size_t slot_count() const { return size_t{1} << (32 - shift_); }
    void add_hashed(std::string_view pretoken, uint32_t hash, uint64_t count);
    void insert(size_t slot, std::string_view pretoken, uint32_t hash, uint64_t count);
    void grow();
    void fill_slots();

    GrowingArray<uint64_t> arena_;
    Table<uint64_t> slots_;
    unsigned shift_;  // a slot's number is hash >> shift_
    size_t size_ = 0;
};

}  // namespace nlpkit
