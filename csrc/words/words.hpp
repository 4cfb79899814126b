// Counting the words of texts, and turning them into ids.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "support/job.hpp"
#include "words/word_table.hpp"

namespace nlpkit {

/// How often each word came, over any number of texts.
class WordCounts {
public:
    WordCounts() = default;
    WordCounts(const WordCounts&) = delete;
    WordCounts& operator=(const WordCounts&) = delete;

    /// Counts the words of some texts; a thread each, with a table of its own.
    void add(std::span<const std::string_view> texts, unsigned threads, const Job& job);

    /// One table of all that was counted; the threads' tables are joined.
    const WordTable& joined();

private:
    std::vector<WordTable> tables_;
};

/// Ids of several texts end to end, and where each one begins.
struct WordIdsOfTexts {
    std::vector<uint32_t> ids;
    std::vector<uint64_t> offsets;
};

/// The id of each word of a vocabulary.
class WordIds {
public:
    /// Word i has id i; no word comes twice.
    explicit WordIds(std::span<const std::string_view> words);
    WordIds(const WordIds&) = delete;
    WordIds& operator=(const WordIds&) = delete;

    uint32_t id(std::string_view word, uint32_t unknown) const {
        return static_cast<uint32_t>(table_.get(word, unknown));
    }
    /// The ids of every text's words, `unknown` for those that there are not, each text ended by `end` if there is one.
    WordIdsOfTexts encode(std::span<const std::string_view> texts, uint32_t unknown, const uint32_t* end,
                          unsigned threads, const Job& job) const;

private:
    WordTable table_;
};

}  // namespace nlpkit
