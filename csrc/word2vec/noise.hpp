// The noise distribution of negative sampling, whole or in slices that several blocks may train on at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/alias_table.hpp"

namespace nlpkit {

/// Draws rows with the power 0.75 of their counts (Mikolov et al. 2013, section 2.2).
class Noise {
public:
    /// In up to `most_slices` slices: sets of rows, disjoint and of equal probability to within a hundredth, so that
    /// a draw from a slice that is chosen evenly is a draw from the whole. Small vocabularies have
    /// fewer.
    Noise(std::span<const uint64_t> counts, size_t most_slices);

    size_t slices() const { return slices_.size(); }

    /// `draw` is uniform.
    uint32_t operator()(size_t slice, uint64_t draw) const { return slices_[slice].rows[slices_[slice].table(draw)]; }

private:
    struct Slice {
        std::vector<uint32_t> rows;
        AliasTable table;
    };
    std::vector<Slice> slices_;
};

}  // namespace nlpkit
