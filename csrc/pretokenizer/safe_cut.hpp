// Places where a text can be cut without a trace: both sides split on their own as the whole does.
#pragma once

#include <cstddef>
#include <string_view>

namespace nlpkit {

/// The first such place in [from, limit) of valid UTF-8, whatever the scheme and whatever stands before and after;
/// `limit` if there is none. `from` is above 0, `limit` at most the text's size.
size_t find_safe_cut(std::string_view text, size_t from, size_t limit);

}  // namespace nlpkit
