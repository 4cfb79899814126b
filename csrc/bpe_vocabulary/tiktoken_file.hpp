// `.tiktoken` files: a line a token, its bytes in base64, a space, its rank.
#pragma once

#include <string>
#include <string_view>

#include "bpe_vocabulary/rank_table.hpp"

namespace nlpkit {

/// The tokens of a file's content; blank lines count for nothing. Throws std::invalid_argument for a line that is
/// none of these, naming it by its number, and as RankTable does.
RankTable parse_tiktoken(std::string_view content);

/// The content of a file: lines in the order of the ranks.
std::string format_tiktoken(const RankTable& tokens);

}  // namespace nlpkit
