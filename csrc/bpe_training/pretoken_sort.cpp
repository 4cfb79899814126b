#include "bpe_training/pretoken_sort.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "bpe_training/pretoken_table.hpp"
#include "support/cpu.hpp"

namespace nlpkit {

namespace {

/// Below this many entries, comparing the pre-tokens is cheaper than reading a part of each.
constexpr size_t kFew = 16;
/// Up to this many fit into the first-level cache, where std::sort is as fast as counting bytes.
constexpr size_t kCached = size_t{1} << 12;
constexpr size_t kKeyBytes = 4;
constexpr unsigned kKeyShift = 32;
constexpr size_t kAhead = 16;

/// Sorts by four bytes at a time: they go into the upper halves of the entries, which are then sorted as
/// numbers; entries with equal ones go on with the next four.
class EntrySorter {
   public:
    EntrySorter(const Job& job, const uint64_t* words) : job_(job), words_(words) {}

    void sort(uint64_t* first, uint64_t* last, size_t depth) {
        job_.check();
        if (static_cast<size_t>(last - first) <= kFew) return sort_whole(first, last);
        load_keys(first, last, depth);
        sort_numbers(first, last, 56);
        for (uint64_t* group = first; group < last;) {
            const uint64_t key = *group >> kKeyShift;
            uint64_t* end = group + 1;
            while (end < last && *end >> kKeyShift == key) ++end;
            if (end - group > 1) {
                // Some that end here may be among those whose next bytes are zero.
                key == 0 ? sort_whole(group, end) : sort(group, end, depth + kKeyBytes);
            }
            group = end;
        }
    }

   private:
    std::string_view pretoken(uint64_t entry) const {
        return PretokenTable::pretoken_of(words_ + (entry & UINT32_MAX));
    }

    void sort_whole(uint64_t* first, uint64_t* last) const {
        std::sort(first, last, [&](uint64_t a, uint64_t b) { return pretoken(a) < pretoken(b); });
    }

    void load_keys(uint64_t* first, uint64_t* last, size_t depth) const {
        for (uint64_t* entry = first; entry < last; ++entry) {
            if (last - entry > static_cast<ptrdiff_t>(kAhead)) prefetch(words_ + (entry[kAhead] & UINT32_MAX));
            if (((entry - first) & 0xffff) == 0) job_.check();
            *entry = uint64_t{key_at(pretoken(*entry), depth)} << kKeyShift | (*entry & UINT32_MAX);
        }
    }

    /// The bytes from `depth` on as a number that orders as they do; zeros behind the end, as in the table.
    static uint32_t key_at(std::string_view pretoken, size_t depth) {
        if (depth >= pretoken.size()) return 0;
        std::array<uint8_t, kKeyBytes> bytes;
        std::memcpy(bytes.data(), pretoken.data() + depth, kKeyBytes);
        return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
    }

    /// Sorts numbers whose bits above `shift + 8` are equal by their bits from 32 on.
    void sort_numbers(uint64_t* first, uint64_t* last, unsigned shift) const {
        if (static_cast<size_t>(last - first) <= kCached) {
            std::sort(first, last);
            return;
        }
        job_.check();
        std::array<uint64_t*, 257> begins = partition(first, last, shift);
        if (shift == kKeyShift) return;
        for (size_t byte = 0; byte < 256; ++byte) sort_numbers(begins[byte], begins[byte + 1], shift - 8);
    }

    /// Orders numbers by one byte, in place: each is swapped into its part until all parts are full.
    static std::array<uint64_t*, 257> partition(uint64_t* first, uint64_t* last, unsigned shift) {
        std::array<size_t, 256> sizes{};
        for (const uint64_t* number = first; number < last; ++number) ++sizes[*number >> shift & 0xff];
        std::array<uint64_t*, 257> begins;
        begins[0] = first;
        for (size_t byte = 0; byte < 256; ++byte) begins[byte + 1] = begins[byte] + sizes[byte];
        std::array<uint64_t*, 257> cursors = begins;
        for (size_t byte = 0; byte < 256; ++byte) {
            while (cursors[byte] < begins[byte + 1]) {
                const size_t here = *cursors[byte] >> shift & 0xff;
                if (here == byte) {
                    ++cursors[byte];
                } else {
                    std::swap(*cursors[byte], *cursors[here]++);
                }
            }
        }
        return begins;
    }

    const Job& job_;
    const uint64_t* words_;
};

}  // namespace

void sort_entries(const Job& job, const uint64_t* words, uint64_t* entries, size_t n) {
    EntrySorter(job, words).sort(entries, entries + n, 0);
}

}  // namespace nlpkit
