// Drawing from a fixed discrete distribution in constant time: Walker's alias method, built as Vose 1991.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/counter_random.hpp"

namespace nlpkit {

class AliasTable {
public:
    /// `weights` are non-negative and not all zero; eight bytes are kept for each.
    explicit AliasTable(const std::vector<double>& weights) : columns_(weights.size()) {
        double total = 0;
        for (const double weight : weights) total += weight;
        std::vector<double> share(weights.size());
        std::vector<uint32_t> small, large;
        for (size_t i = 0; i < weights.size(); ++i) {
            share[i] = weights[i] / total * static_cast<double>(weights.size());
            columns_[i] = {UINT32_MAX, static_cast<uint32_t>(i)};
            (share[i] < 1 ? small : large).push_back(static_cast<uint32_t>(i));
        }
        while (!small.empty() && !large.empty()) {
            const uint32_t low = small.back(), high = large.back();
            small.pop_back();
            columns_[low] = {static_cast<uint32_t>(share[low] * 0x1p32), high};
            share[high] -= 1 - share[low];
            if (share[high] < 1) {
                large.pop_back();
                small.push_back(high);
            }
        }
    }

    /// The upper half of the draw chooses a column, the lower half between it and its alias.
    uint32_t operator()(uint64_t draw) const {
        const uint32_t index = below(draw, static_cast<uint32_t>(columns_.size()));
        const Column column = columns_[index];
        return static_cast<uint32_t>(draw) < column.threshold ? index : column.alias;
    }

private:
    struct Column {
        uint32_t threshold;  // share of 2^32 that stays; a column that stays whole is its own alias
        uint32_t alias;
    };
    std::vector<Column> columns_;
};

}  // namespace nlpkit
