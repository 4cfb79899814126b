// Finding special tokens, such as <|endoftext|>, in text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nlpkit {

/// Finds the leftmost of some texts, and of those that begin there the longest.
class SpecialMatcher {
   public:
    struct Match {
        size_t begin, end;
        uint32_t id;
    };

    /// The texts and their ids. Throws std::invalid_argument for an empty text.
    explicit SpecialMatcher(std::vector<std::pair<std::string, uint32_t>> texts);

    /// The first match at or after `from`.
    std::optional<Match> find(std::string_view text, size_t from) const;

    /// Calls `ordinary` for the text between matches, which is encoded on its own, and `special` for their ids.
    template <typename Ordinary, typename Special>
    void split(std::string_view text, const Ordinary& ordinary, const Special& special) const {
        size_t at = 0;
        while (const auto match = find(text, at)) {
            if (match->begin > at) ordinary(text.substr(at, match->begin - at));
            special(match->id);
            at = match->end;
        }
        if (at < text.size()) ordinary(text.substr(at));
    }

   private:
    std::optional<Match> match_at(std::string_view text, size_t begin) const;

    std::vector<std::pair<std::string, uint32_t>> texts_;  // sorted: those with a common beginning are neighbours
    std::array<bool, 256> begins_{};                       // whether some text begins with the byte
    std::optional<uint8_t> only_beginning_;                // if there is but one
};

}  // namespace nlpkit
