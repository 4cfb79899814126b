#include "bpe_training/pretoken_table.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "bpe_training/pretoken_sort.hpp"
#include "support/cpu.hpp"
#include "support/hash.hpp"

namespace nlpkit {

namespace {

constexpr unsigned kFirstSlotBits = 12;
/// Pre-tokens in flight: enough to hide a cache miss behind the others, few enough to stay in L1.
constexpr size_t kBatch = 256;
constexpr size_t kAhead = 16;  // entries fetched before they are visited

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
    const size_t mask = slot_count() - 1;
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
    if (4 * ++size_ > 3 * slot_count()) grow();
}

void PretokenTable::grow() {
    --shift_;
    slots_ = {};  // given back before the larger ones are taken: the arena knows all
    slots_ = Table<uint64_t>(slot_count());
    fill_slots();
}

/// Enters the arena's pre-tokens into slots that are all empty.
void PretokenTable::fill_slots() {
    const size_t mask = slot_count() - 1;
    const uint64_t* const words = arena_.data();
    for (size_t at = 1; at < arena_.size(); at += entry_words(words[at + 1] & UINT32_MAX)) {
        const uint64_t hash = words[at + 1] >> 32;
        size_t slot = hash >> shift_;
        while (slots_[slot] != 0) slot = (slot + 1) & mask;
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

void PretokenTable::add_table(const PretokenTable& other) {
    other.for_each(Job{}, [&](std::string_view pretoken, uint64_t count) { add(pretoken, count); });
}

bool PretokenTable::has_room(size_t pretokens, size_t bytes, size_t limit) const {
    const size_t words = arena_.size() + 3 * pretokens + bytes / 8;  // each takes 3 and its bytes, rounded down
    size_t slots = slot_count();
    while (4 * (size_ + pretokens) > 3 * slots) slots *= 2;
    return words <= UINT32_MAX && 8 * (words + slots) <= limit;
}

void PretokenTable::for_each(const Job& job, const VisitPretoken& visit) const {
    const uint64_t* const words = arena_.data();
    size_t next_check = 0;
    for (size_t at = 1; at < arena_.size(); at += entry_words(words[at + 1] & UINT32_MAX)) {
        if (at >= next_check) {
            job.check();
            next_check = at + 0xffff;
        }
        visit(pretoken_of(words + at), words[at]);
    }
}

void PretokenTable::for_each_sorted(const Job& job, const VisitPretoken& visit) {
    // The slots hold nothing that the arena does not: they serve to sort in, and are filled again.
    struct Refill {
        PretokenTable& table;
        ~Refill() {
            std::memset(&table.slots_[0], 0, 8 * table.slot_count());
            table.fill_slots();
        }
    } const refill{*this};
    const uint64_t* const words = arena_.data();
    size_t n = 0;
    for (size_t at = 1; at < arena_.size(); at += entry_words(words[at + 1] & UINT32_MAX)) slots_[n++] = at;
    sort_entries(job, words, &slots_[0], n);
    for (size_t i = 0; i < n; ++i) {
        if ((i & 0xfff) == 0) job.check();
        if (i + kAhead < n) prefetch(words + (slots_[i + kAhead] & UINT32_MAX));
        const uint64_t* const entry = words + (slots_[i] & UINT32_MAX);
        visit(pretoken_of(entry), entry[0]);
    }
}

void PretokenTable::clear() {
    arena_.truncate(1);
    std::memset(&slots_[0], 0, 8 * slot_count());
    size_ = 0;
}

}  // namespace nlpkit
