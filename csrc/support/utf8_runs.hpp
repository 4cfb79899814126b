// Where bytes are valid UTF-8 and where not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace nlpkit {

/// The ends of the stretches of `bytes`, by turns valid UTF-8 (the first one may be empty) and not. A byte is
/// valid if it belongs to a well-formed character (Unicode 16.0, table 3-7: no overlong form, no surrogate,
/// nothing above U+10FFFF).
std::vector<uint64_t> utf8_runs(std::string_view bytes);

}  // namespace nlpkit
