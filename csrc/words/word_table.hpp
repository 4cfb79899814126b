// A hash table from words to numbers: to count them, or to look up their ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "support/growing_array.hpp"
#include "support/hash.hpp"

namespace nlpkit {

/// Words in the order in which they came, each with a number; found by open addressing.
class WordTable {
public:
    WordTable() : slots_(FEWEST_SLOTS) {}

    /// The number that goes with a word; 0 to begin with.
    uint64_t& operator[](std::string_view word) {
        const uint64_t hash = hash_bytes(word);
        if (const Entry* found = find(word, hash)) return const_cast<Entry*>(found)->number;
        return add(word, hash).number;
    }

    /// The number of a word that is there, or `otherwise`.
    uint64_t get(std::string_view word, uint64_t otherwise) const {
        const Entry* const found = find(word, hash_bytes(word));
        return found == nullptr ? otherwise : found->number;
    }

    size_t size() const { return entries_.size(); }
    std::string_view word(size_t i) const { return {bytes_.data() + entries_[i].start, entries_[i].length}; }
    uint64_t number(size_t i) const { return entries_[i].number; }

private:
    static constexpr size_t FEWEST_SLOTS = 1 << 10;

    struct Entry {
        size_t start;  // in `bytes_`
        size_t length;
        uint64_t number;
    };
    /// A piece of the hash, so that few words are compared in vain, and one more than the entry; 0 is free.
    struct Slot {
        uint32_t tag;
        uint32_t entry;
    };

    const Entry* find(std::string_view word, uint64_t hash) const {
        for (size_t at = hash & (slots_.size() - 1); slots_[at].entry != 0; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at].tag != static_cast<uint32_t>(hash >> 32)) continue;
            const Entry& entry = entries_[slots_[at].entry - 1];
            if (entry.length == word.size() && std::memcmp(bytes_.data() + entry.start, word.data(), word.size()) == 0)
                return &entry;
        }
        return nullptr;
    }
    Entry& add(std::string_view word, uint64_t hash);
    void place(uint64_t hash, size_t entry);

    std::vector<Entry> entries_;
    GrowingArray<char> bytes_;
    std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace nlpkit
