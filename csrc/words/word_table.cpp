#include "words/word_table.hpp"

#include <stdexcept>

namespace nlpkit {

void WordTable::place(uint64_t hash, size_t entry) {
    size_t at = hash & (slots_.size() - 1);
    while (slots_[at].entry != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(entry + 1)};
}

WordTable::Entry& WordTable::add(std::string_view word, uint64_t hash) {
    if (entries_.size() == UINT32_MAX - 1) throw std::length_error("more than 2^32 - 2 different words");
    if (2 * (entries_.size() + 1) > slots_.size()) {
        slots_.assign(2 * slots_.size(), {});
        for (size_t i = 0; i < entries_.size(); ++i) place(hash_bytes(this->word(i)), i);
    }
    const size_t start = bytes_.append(word.size());
    std::memcpy(bytes_.data() + start, word.data(), word.size());
    place(hash, entries_.size());
    entries_.push_back({start, word.size(), 0});
    return entries_.back();
}

}  // namespace nlpkit
