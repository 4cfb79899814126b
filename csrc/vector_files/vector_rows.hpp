// Words and their vectors out of a block of a vector file: lines of text, or word2vec's binary rows.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nlpkit {

/// Words, views into the block, and `dim` numbers for each.
struct VectorRows {
    std::vector<std::string_view> words;
    std::vector<float> numbers;
};

/// Where and why reading ended: the number of the line, or of the row, counted from 0 in the block.
struct VectorFault {
    size_t place;
    std::string reason;
};

/// Reads up to `most` lines of a word and `dim` numbers, with a space or a tab before each number. Words may hold
/// spaces, as GloVe's do; lines of white space alone are passed over. The result does not depend on the threads.
std::optional<VectorFault> read_text_rows(std::string_view lines, size_t dim, size_t most, unsigned threads,
                                          VectorRows& rows);

/// Reads up to `most` whole rows: a word, a space, `dim` little-endian float32, and perhaps a newline before the next
/// word. `used` becomes the number of bytes read.
std::optional<VectorFault> read_binary_rows(std::string_view block, size_t dim, size_t most, size_t& used,
                                            VectorRows& rows);

}  // namespace nlpkit
