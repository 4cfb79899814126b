// Ids to bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bpe_vocabulary/vocabulary.hpp"
#include "support/made_once.hpp"
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
    /// The tokens of a vocabulary, and the ids and texts of special tokens. Throws std::invalid_argument where two
    /// share an id.
    TokenTable(std::shared_ptr<const BpeVocabulary> vocabulary, std::vector<std::pair<uint32_t, std::string>> specials);

    size_t size() const { return tokens_.size() + specials_.size(); }

    /// The bytes of an id. Throws UnknownId.
    std::string_view bytes(uint32_t id) const {
        const TokenIndex token = tokens_.find_rank(id);
        return token != kNoToken ? tokens_.bytes(token) : special(id);
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

    std::string_view special(uint32_t id) const;
    Table<Head> make_heads() const;

    std::shared_ptr<const BpeVocabulary> vocabulary_;
    const RankTable& tokens_;
    std::vector<std::pair<uint32_t, std::string>> specials_;  // by id
    MadeOnce<Table<Head>> heads_;                             // of tokens_
};

}  // namespace nlpkit
