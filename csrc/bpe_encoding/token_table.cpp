#include "bpe_encoding/token_table.hpp"

#include <algorithm>
#include <cstring>

namespace nlpkit {

TokenTable::TokenTable(std::vector<RankedToken> tokens) : heads_(tokens.size()) {
    sort_by_rank(tokens);
    offsets_.reserve(tokens.size() + 1);
    ids_.reserve(tokens.size());
    offsets_.push_back(0);
    for (const auto& [bytes, rank] : tokens) {
        if (!ids_.empty() && ids_.back() == rank) {
            throw std::invalid_argument("id " + std::to_string(rank) + " stands for two tokens, " +
                                        quote(bytes_at(ids_.size() - 1)) + " and " + quote(bytes));
        }
        std::memcpy(heads_[ids_.size()].bytes, bytes.data(), std::min(bytes.size(), sizeof(Head)));
        text_ += bytes;
        ids_.push_back(rank);
        offsets_.push_back(text_.size());
    }
}

size_t TokenTable::search(uint32_t id) const {
    const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
    if (found == ids_.end() || *found != id) throw UnknownId(id);
    return static_cast<size_t>(found - ids_.begin());
}

size_t TokenTable::measure(const uint32_t* ids, size_t count) const {
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
        const size_t place = find(ids[i]);
        size += offsets_[place + 1] - offsets_[place];
    }
    return size;
}

void TokenTable::decode(const uint32_t* ids, size_t count, char* out, size_t size) const {
    const char* const end = out + size;
    for (size_t i = 0; i < count; ++i) {
        const size_t place = find(ids[i]);
        const size_t length = offsets_[place + 1] - offsets_[place];
        if (length <= sizeof(Head) && static_cast<size_t>(end - out) >= sizeof(Head)) {
            std::memcpy(out, heads_[place].bytes, sizeof(Head));  // writes on, into the room of what follows
        } else {
            std::memcpy(out, text_.data() + offsets_[place], length);
        }
        out += length;
    }
}

}  // namespace nlpkit
