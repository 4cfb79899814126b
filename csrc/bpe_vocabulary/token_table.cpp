#include "bpe_vocabulary/token_table.hpp"

#include <algorithm>
#include <cstring>

namespace nlpkit {

TokenTable::TokenTable(std::shared_ptr<const BpeVocabulary> vocabulary,
                       std::vector<std::pair<uint32_t, std::string>> specials)
    : vocabulary_(std::move(vocabulary)),
      tokens_(vocabulary_->tokens()),
      specials_(std::move(specials)) {
    std::sort(specials_.begin(), specials_.end());
    for (size_t i = 0; i < specials_.size(); ++i) {
        const auto& [id, text] = specials_[i];
        const TokenIndex token = tokens_.find_rank(id);
        if (token != kNoToken || (i > 0 && specials_[i - 1].first == id)) {
            const std::string_view other = token != kNoToken ? tokens_.bytes(token) : specials_[i - 1].second;
            throw std::invalid_argument("id " + std::to_string(id) + " stands for two tokens, " + quote(other) +
                                        " and " + quote(text));
        }
    }
}

Table<TokenTable::Head> TokenTable::make_heads() const {
    Table<Head> heads(tokens_.size());
    for (TokenIndex token = 0; token < tokens_.size(); ++token) {
        const std::string_view bytes = tokens_.bytes(token);
        std::memcpy(heads[token].bytes, bytes.data(), std::min(bytes.size(), sizeof(Head)));
    }
    return heads;
}

std::string_view TokenTable::special(uint32_t id) const {
    const auto found = std::lower_bound(specials_.begin(), specials_.end(), id,
                                        [](const auto& special, uint32_t wanted) { return special.first < wanted; });
    if (found == specials_.end() || found->first != id) throw UnknownId(id);
    return found->second;
}

size_t TokenTable::measure(const uint32_t* ids, size_t count) const {
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) size += bytes(ids[i]).size();
    return size;
}

void TokenTable::decode(const uint32_t* ids, size_t count, char* out, size_t size) const {
    const char* const end = out + size;
    const Table<Head>& heads = heads_.get([this] { return make_heads(); });
    for (size_t i = 0; i < count; ++i) {
        const TokenIndex token = tokens_.find_rank(ids[i]);
        const std::string_view bytes = token != kNoToken ? tokens_.bytes(token) : special(ids[i]);
        if (token != kNoToken && bytes.size() <= sizeof(Head) && static_cast<size_t>(end - out) >= sizeof(Head)) {
            std::memcpy(out, heads[token].bytes, sizeof(Head));  // writes on, into the room of what follows
        } else {
            std::memcpy(out, bytes.data(), bytes.size());
        }
        out += bytes.size();
    }
}

}  // namespace nlpkit
