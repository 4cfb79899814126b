// One line of a .jsonl file: the string in one field of its object.
#pragma once

#include <string>
#include <string_view>

namespace nlpkit {

/// What a line came to.
enum class JsonLine {
    text,     // the field's string was appended
    nothing,  // a blank line; or the field is null or an empty string
    odd,      // anything else; nothing was appended
};

/// Appends the string in `field` of the JSON object in `line` to `out`.
///
/// Plain lines alone are read here: valid UTF-8, valid JSON of moderate depth, keys without escapes, a string or
/// null in the field, no lone surrogate escaped in it. All others are `odd`: whoever calls reads those in the slow,
/// complete way, which also knows what to say about them. So this accepts nothing that Python's json would not read
/// to the same text.
JsonLine append_json_text(std::string_view line, std::string_view field, std::string& out);

}  // namespace nlpkit
