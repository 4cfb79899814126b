#include "bpe_training/pretoken_counts.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <stdexcept>

#include "support/cpu.hpp"
#include "support/hash.hpp"

namespace nlpkit {

namespace {

constexpr unsigned kFirstSlotBits = 12;
/// Pre-tokens in flight: enough to hide a cache miss behind the others, few enough to stay in L1.
constexpr size_t kBatch = 256;

NLPKIT_INLINE uint32_t hash_of(std::string_view pretoken) {
    return static_cast<uint32_t>(hash_bytes(pretoken) >> 32);
}

/// Are `length` bytes equal? Most pre-tokens are shorter than a call of memcmp is worth.
NLPKIT_INLINE bool equal_bytes(const char* a, const char* b, size_t length) {
    if (length > 16) return std::memcmp(a, b, length) == 0;
    if (length >= 8) {
        std::array<uint64_t, 4> words;
        std::memcpy(&words[0], a, 8);
        std::memcpy(&words[1], b, 8);
        std::memcpy(&words[2], a + length - 8, 8);
        std::memcpy(&words[3], b + length - 8, 8);
        return words[0] == words[1] && words[2] == words[3];
    }
    if (length >= 4) {
        std::array<uint32_t, 4> words;
        std::memcpy(&words[0], a, 4);
        std::memcpy(&words[1], b, 4);
        std::memcpy(&words[2], a + length - 4, 4);
        std::memcpy(&words[3], b + length - 4, 4);
        return words[0] == words[1] && words[2] == words[3];
    }
    for (size_t i = 0; i < length; ++i) {
        if (a[i] != b[i]) return false;
    }
    return true;
}

}  // namespace

PretokenTable::PretokenTable() : slots_(size_t{1} << kFirstSlotBits), shift_(32 - kFirstSlotBits) {
    arena_.append(1);  // index 0 stands for an empty slot
    arena_[0] = 0;
}

void PretokenTable::add(std::string_view pretoken, uint64_t count) {
    add_hashed(pretoken, hash_of(pretoken), count);
}

NLPKIT_INLINE void PretokenTable::add_hashed(std::string_view pretoken, uint32_t hash, uint64_t count) {
    const size_t mask = slots_.size() - 1;
    const uint64_t header = uint64_t{hash} << 32 | pretoken.size();
    for (size_t slot = hash >> shift_;; slot = (slot + 1) & mask) {
        const uint64_t found = slots_[slot];
        if (found == 0) return insert(slot, pretoken, hash, count);
        if (found >> 32 != hash) continue;
        uint64_t* const entry = arena_.data() + (found & UINT32_MAX);
        if (entry[1] == header &&
            equal_bytes(reinterpret_cast<const char*>(entry + 2), pretoken.data(), pretoken.size())) {
            entry[0] += count;
            return;
        }
    }
}

void PretokenTable::insert(size_t slot, std::string_view pretoken, uint32_t hash, uint64_t count) {
    if (pretoken.size() > UINT32_MAX) throw std::length_error("a single pre-token is longer than 4 GiB");
    const size_t words = entry_words(pretoken.size());
    if (arena_.size() + words > UINT32_MAX) {
        throw std::length_error("the unique pre-tokens take more than 32 GiB");
    }
    const size_t index = arena_.append(words);
    uint64_t* const entry = arena_.data() + index;
    entry[words - 1] = 0;
    entry[0] = count;
    entry[1] = uint64_t{hash} << 32 | pretoken.size();
    std::memcpy(entry + 2, pretoken.data(), pretoken.size());
    slots_[slot] = uint64_t{hash} << 32 | index;
    if (4 * ++size_ > 3 * slots_.size()) grow();
}

void PretokenTable::grow() {
    const size_t slots = 2 * slots_.size();
    std::vector<uint64_t>().swap(slots_);  // given back before the larger ones are taken: the arena knows all
    slots_.resize(slots);
    --shift_;
    const uint64_t* const words = arena_.data();
    for (size_t at = 1; at < arena_.size(); at += entry_words(words[at + 1] & UINT32_MAX)) {
        const uint64_t hash = words[at + 1] >> 32;
        size_t slot = hash >> shift_;
        while (slots_[slot] != 0) slot = (slot + 1) & (slots - 1);
        slots_[slot] = hash << 32 | at;
    }
}

void PretokenTable::add_all(std::string_view text, size_t begin, const size_t* ends, size_t n,
                            uint64_t count) {
    std::array<uint32_t, kBatch> hashes;
    for (size_t first = 0; first < n; first += kBatch) {
        const size_t batch = std::min(kBatch, n - first);
        const size_t batch_begin = begin;
        for (size_t i = 0; i < batch; begin = ends[first + i], ++i) {
            hashes[i] = hash_of(text.substr(begin, ends[first + i] - begin));
            prefetch(&slots_[hashes[i] >> shift_]);
        }
        for (size_t i = 0; i < batch; ++i) {
            prefetch(arena_.data() + (slots_[hashes[i] >> shift_] & UINT32_MAX));
        }
        begin = batch_begin;
        for (size_t i = 0; i < batch; begin = ends[first + i], ++i) {
            add_hashed(text.substr(begin, ends[first + i] - begin), hashes[i], count);
        }
    }
}

void PretokenTable::for_each(const Visit& visit) const {
    const uint64_t* const words = arena_.data();
    for (size_t at = 1; at < arena_.size(); at += entry_words(words[at + 1] & UINT32_MAX)) {
        visit(pretoken_of(words + at), words[at]);
    }
}

void PretokenTable::for_each_sorted(const Visit& visit) const {
    const uint64_t* const words = arena_.data();
    std::vector<uint32_t> entries;
    entries.reserve(size_);
    for (size_t at = 1; at < arena_.size(); at += entry_words(words[at + 1] & UINT32_MAX)) {
        entries.push_back(static_cast<uint32_t>(at));
    }
    std::sort(entries.begin(), entries.end(), [&](uint32_t a, uint32_t b) {
        return pretoken_of(words + a) < pretoken_of(words + b);
    });
    for (const uint32_t at : entries) visit(pretoken_of(words + at), words[at]);
}

void PretokenTable::add_table(const PretokenTable& other) {
    other.for_each([&](std::string_view pretoken, uint64_t count) { add(pretoken, count); });
}

void PretokenCounts::prepare(unsigned threads) {
    if (tables_.size() < threads) tables_.resize(threads);
}

void PretokenCounts::add_documents(Job& job, std::span<const std::string_view> documents, Scheme scheme,
                                   uint64_t weight, unsigned threads) {
    const auto workers = static_cast<unsigned>(std::clamp<size_t>(documents.size(), 1, threads));
    prepare(workers);
    std::atomic<size_t> next{0};
    parallel_for(workers, workers, [&](size_t worker) {
        std::array<size_t, kBatch> ends;
        PretokenTable& table = tables_[worker];
        for (size_t index = next++; index < documents.size(); index = next++) {
            const std::string_view text = documents[index];
            for (size_t begin = 0; begin < text.size();) {
                job.check();
                const size_t n = pretokenize(scheme, text, begin, ends.data(), ends.size());
                table.add_all(text, begin, ends.data(), n, weight);
                job.done += ends[n - 1] - begin;
                begin = ends[n - 1];
            }
        }
    });
}

void PretokenCounts::add_piece(std::string_view piece, uint64_t count) {
    prepare(1);
    tables_[0].add(piece, count);
}

const PretokenTable& PretokenCounts::table() {
    prepare(1);
    while (tables_.size() > 1) {
        tables_[0].add_table(tables_.back());
        tables_.pop_back();
    }
    return tables_[0];
}

size_t PretokenCounts::memory() const {
    size_t total = 0;
    for (const PretokenTable& table : tables_) total += table.memory();
    return total;
}

}  // namespace nlpkit
