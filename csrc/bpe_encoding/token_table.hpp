// Ids to bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_encoding/vocabulary.hpp"
#include "support/table_memory.hpp"

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
    std::string_view bytes(uint32_t id) const { return bytes_at(find(id)); }

    /// The number of bytes of an id. Throws UnknownId.
    size_t length(uint32_t id) const {
        const size_t place = find(id);
        return offsets_[place + 1] - offsets_[place];
    }

    /// How many bytes ids stand for. Throws UnknownId.
    size_t measure(const uint32_t* ids, size_t count) const;

    /// Writes the bytes of ids to `out`, which has room for `size` bytes, just what `measure` said.
    void decode(const uint32_t* ids, size_t count, char* out, size_t size) const;

   private:
    /// The beginning of a token, copied whole: most tokens are no longer.
    struct Head {
        char bytes[16];
    };

    NLPKIT_INLINE size_t find(uint32_t id) const {
        // up to the first gap an id is its own place
        return id < ids_.size() && ids_[id] == id ? id : search(id);
    }
    size_t search(uint32_t id) const;
    std::string_view bytes_at(size_t place) const {
        return std::string_view(text_).substr(offsets_[place], offsets_[place + 1] - offsets_[place]);
    }

    std::string text_;
    std::vector<size_t> offsets_;
    std::vector<uint32_t> ids_;  // ascending
    Table<Head> heads_;
};

}  // namespace nlpkit
