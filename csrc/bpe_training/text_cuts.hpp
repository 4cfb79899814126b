// Where a text can be cut so that its parts split into the pre-tokens that the whole splits into.
#pragma once

#include <cstddef>
#include <string_view>

namespace nlpkit {

/// The first cut of `text` (valid UTF-8) from `from` on, or its end where there is none.
///
/// A cut stands between a letter and a character that is no letter, mark or apostrophe. Every scheme ends a piece
/// there, whatever is before and behind: a run of letters stops, no contraction goes on, and what looks ahead
/// looks from white space. For the same reason the letter's piece is the same where the text ends after it.
size_t next_cut(std::string_view text, size_t from);

/// The last cut of `text` behind `from` and before `to`, or 0 where there is none.
size_t last_cut(std::string_view text, size_t from, size_t to);

}  // namespace nlpkit
