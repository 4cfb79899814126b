// Documents on their way from files to the encoder: UTF-8 end to end, without a Python object for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nlpkit {

/// Some documents in order. What it holds is valid UTF-8, and no document that was read from a file is empty.
class TextBatch {
   public:
    size_t size() const { return ends_.size(); }
    size_t bytes() const { return text_.size(); }
    std::string_view operator[](size_t i) const {
        const size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(text_).substr(begin, ends_[i] - begin);
    }

    /// Appends one document of valid UTF-8, as it is.
    void append(std::string_view text);

    /// Appends the strings in `field` of lines that hold a JSON object each, from `begin` on, and returns where the
    /// first line begins that is not plain (jsonl.hpp), or the block's size. Stops after the line with which
    /// `bytes()` reaches `enough`.
    size_t append_jsonl(std::string_view block, size_t begin, std::string_view field, size_t enough);

    /// The same, each line that is not empty being a document.
    size_t append_lines(std::string_view block, size_t begin, size_t enough);

    /// The documents i for which `chosen(i)` holds.
    template <typename Chosen>
    TextBatch select(const Chosen& chosen) const {
        TextBatch selected;
        for (size_t i = 0; i < size(); ++i) {
            if (chosen(i)) selected.append((*this)[i]);
        }
        return selected;
    }

    /// How many lines the last call of the two above passed.
    size_t lines() const { return lines_; }

   private:
    template <typename AppendLine>
    size_t append_each(std::string_view block, size_t begin, size_t enough, const AppendLine& append_line);

    std::string text_;
    std::vector<size_t> ends_;
    size_t lines_ = 0;
};

}  // namespace nlpkit
