#include "token_table.hpp"

#include <algorithm>

namespace nlpkit {

TokenTable::TokenTable(std::vector<RankedToken> tokens) {
    sort_by_rank(tokens);
    offsets_.push_back(0);
    for (const auto& [bytes, rank] : tokens) {
        if (!ids_.empty() && ids_.back() == rank) {
            throw std::invalid_argument("id " + std::to_string(rank) + " stands for two tokens, " +
                                        quote(this->bytes(rank)) + " and " + quote(bytes));
        }
        text_ += bytes;
        ids_.push_back(rank);
        offsets_.push_back(text_.size());
    }
}

// Up to the first gap an id is its own place.
size_t TokenTable::find(uint32_t id) const {
    if (id < ids_.size() && ids_[id] == id) return id;
    const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
    if (found == ids_.end() || *found != id) throw UnknownId(id);
    return static_cast<size_t>(found - ids_.begin());
}

std::string TokenTable::decode(const uint32_t* ids, size_t count) const {
    std::string text;
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) size += bytes(ids[i]).size();
    text.reserve(size);
    for (size_t i = 0; i < count; ++i) text += bytes(ids[i]);
    return text;
}

}  // namespace nlpkit
