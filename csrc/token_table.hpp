// Ids to bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_vocabulary.hpp"

namespace nlpkit {

/// Thrown for an id that stands for nothing.
struct UnknownId : std::out_of_range {
    explicit UnknownId(uint32_t unknown) : std::out_of_range("unknown id"), id(unknown) {}
    uint32_t id;
};

/// The bytes of every id, special tokens included. Ids may have gaps.
class TokenTable {
   public:
    /// `tokens` in any order. Throws std::invalid_argument where two share an id.
    explicit TokenTable(std::vector<RankedToken> tokens);

    size_t size() const { return ids_.size(); }
    const std::vector<uint32_t>& ids() const { return ids_; }

    /// The bytes of an id. Throws UnknownId.
    std::string_view bytes(uint32_t id) const {
        const size_t place = find(id);
        return std::string_view(text_).substr(offsets_[place], offsets_[place + 1] - offsets_[place]);
    }

    /// The bytes of ids end to end. Throws UnknownId.
    std::string decode(const uint32_t* ids, size_t count) const;

   private:
    size_t find(uint32_t id) const;

    std::string text_;
    std::vector<uint64_t> offsets_;
    std::vector<uint32_t> ids_;  // ascending
};

}  // namespace nlpkit
