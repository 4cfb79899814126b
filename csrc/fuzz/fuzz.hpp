// What the fuzz targets share: how to fail, and how to read choices from an input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nlpkit {

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "fuzz: %s\n", what);
    std::abort();
}

/// Takes numbers and bytes from the front of an input; behind its end everything is zero.
class Choices {
   public:
    Choices(const uint8_t* data, size_t size) : data_(data), left_(size) {}

    size_t left() const { return left_; }

    uint8_t byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }

    uint64_t below(uint64_t bound) { return (byte() | uint64_t{byte()} << 8) % bound; }

    std::string bytes(size_t size) {
        std::string taken;
        while (taken.size() < size && left_ > 0) taken += static_cast<char>(byte());
        return taken;
    }

   private:
    const uint8_t* data_;
    size_t left_;
};

/// Byte-pair encoding as its definition says it: join the neighbours whose join has the lowest rank.
inline std::vector<uint32_t> naive_ids(std::string_view piece, const std::map<std::string, uint32_t>& ranks) {
    if (const auto whole = ranks.find(std::string(piece)); whole != ranks.end()) return {whole->second};
    std::vector<std::string> parts;
    for (const char byte : piece) parts.emplace_back(1, byte);
    for (;;) {
        size_t best = parts.size();
        uint32_t best_rank = UINT32_MAX;
        for (size_t i = 0; i + 1 < parts.size(); ++i) {
            const auto joined = ranks.find(parts[i] + parts[i + 1]);
            if (joined != ranks.end() && joined->second < best_rank) {
                best = i;
                best_rank = joined->second;
            }
        }
        if (best == parts.size()) break;
        parts[best] += parts[best + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    std::vector<uint32_t> ids;
    for (const std::string& part : parts) ids.push_back(ranks.at(part));
    return ids;
}

}  // namespace nlpkit
