#include "words/words.hpp"

#include <algorithm>
#include <atomic>

#include "words/split_words.hpp"

namespace nlpkit {

void WordCounts::add(std::span<const std::string_view> texts, unsigned threads, const Job& job) {
    const size_t workers = std::min<size_t>(threads, texts.size());
    if (tables_.size() < workers) tables_.resize(workers);
    std::atomic<size_t> next{0};
    parallel_for(workers, threads, [&](size_t worker) {
        WordTable& table = tables_[worker];
        for (size_t i = next++; i < texts.size(); i = next++) {
            job.check();
            split_words(texts[i], [&](std::string_view word) { ++table[word]; });
        }
    });
}

const WordTable& WordCounts::joined() {
    if (tables_.empty()) tables_.resize(1);
    for (size_t t = 1; t < tables_.size(); ++t)
        for (size_t i = 0; i < tables_[t].size(); ++i) tables_[0][tables_[t].word(i)] += tables_[t].number(i);
    tables_.resize(1);
    return tables_[0];
}

WordIds::WordIds(std::span<const std::string_view> words) {
    for (size_t i = 0; i < words.size(); ++i) table_[words[i]] = i;
}

WordIdsOfTexts WordIds::encode(std::span<const std::string_view> texts, uint32_t unknown, const uint32_t* end,
                               unsigned threads, const Job& job) const {
    std::vector<std::vector<uint32_t>> parts(texts.size());
    parallel_for(texts.size(), threads, [&](size_t i) {
        job.check();
        split_words(texts[i], [&](std::string_view word) { parts[i].push_back(id(word, unknown)); });
        if (end != nullptr) parts[i].push_back(*end);
    });
    WordIdsOfTexts all;
    all.offsets.push_back(0);
    for (const auto& part : parts) all.offsets.push_back(all.offsets.back() + part.size());
    all.ids.reserve(all.offsets.back());
    for (const auto& part : parts) all.ids.insert(all.ids.end(), part.begin(), part.end());
    return all;
}

}  // namespace nlpkit
