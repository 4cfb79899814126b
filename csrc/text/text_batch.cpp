#include "text/text_batch.hpp"

#include <algorithm>

#include "support/utf8_runs.hpp"
#include "text/jsonl.hpp"

namespace nlpkit {

void TextBatch::append(std::string_view text) {
    text_ += text;
    ends_.push_back(text_.size());
}

template <typename AppendLine>
size_t TextBatch::append_each(std::string_view block, size_t begin, size_t enough, const AppendLine& append_line) {
    lines_ = 0;
    while (begin < block.size() && text_.size() < enough) {
        const size_t end = std::min(block.find('\n', begin), block.size());
        if (!append_line(block.substr(begin, end - begin))) break;
        begin = std::min(end + 1, block.size());
        ++lines_;
    }
    return begin;
}

size_t TextBatch::append_jsonl(std::string_view block, size_t begin, std::string_view field, size_t enough) {
    return append_each(block, begin, enough, [&](std::string_view line) {
        const JsonLine found = append_json_text(line, field, text_);
        if (found == JsonLine::text) ends_.push_back(text_.size());
        return found != JsonLine::odd;
    });
}

size_t TextBatch::append_lines(std::string_view block, size_t begin, size_t enough) {
    return append_each(block, begin, enough, [&](std::string_view line) {
        if (line.ends_with('\r')) line.remove_suffix(1);
        const auto runs = utf8_runs(line);
        if (!runs.empty() && runs[0] != line.size()) return false;
        if (!line.empty()) append(line);
        return true;
    });
}

}  // namespace nlpkit
