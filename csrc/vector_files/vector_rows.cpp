#include "vector_files/vector_rows.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "support/job.hpp"
#include "vector_files/number.hpp"

namespace nlpkit {

namespace {

constexpr size_t LINES_A_TASK = 64;
constexpr std::string_view BLANKS = " \t\r\n\v\f";
constexpr size_t MOST_SHOWN = 40;  // bytes of what is no number

struct Line {
    size_t number;
    std::string_view text;  // without blanks at its end
};

/// The lines that are not blank.
std::vector<Line> split_lines(std::string_view text, size_t most) {
    std::vector<Line> lines;
    for (size_t begin = 0, number = 0; begin < text.size() && lines.size() < most; ++number) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        const size_t last = line.find_last_not_of(BLANKS);
        if (last != std::string_view::npos) lines.push_back({number, line.substr(0, last + 1)});
        begin = end + 1;
    }
    return lines;
}

bool separates(char c) { return c == ' ' || c == '\t'; }

/// The field before `end`, which then is where its separator stands; none where there is no separator.
std::optional<std::string_view> take_last_field(std::string_view line, size_t& end) {
    size_t begin = end;
    while (begin > 0 && !separates(line[begin - 1])) --begin;
    if (begin == 0) return std::nullopt;
    const std::string_view field = line.substr(begin, end - begin);
    end = begin - 1;
    return field;
}

std::string shown(std::string_view field) {
    std::string text;
    for (const char c : field.substr(0, MOST_SHOWN)) text += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return text + (field.size() > MOST_SHOWN ? "..." : "");
}

std::string no_number(std::string_view field, size_t dim) {
    std::string problem = "'";  // not "'" + shown(field): GCC 12 would warn of an overlap that cannot be
    problem += shown(field);
    return problem + "' is no number; " + std::to_string(dim) + " must follow the word";
}

/// From its end, since a word may hold spaces. Returns what is wrong, or nothing.
std::string read_line(std::string_view line, size_t dim, std::string_view& word, float* numbers) {
    size_t end = line.size();
    for (size_t i = dim; i-- > 0;) {
        const auto field = take_last_field(line, end);
        if (!field) return std::to_string(dim - 1 - i) + " numbers instead of " + std::to_string(dim);
        switch (read_number(*field, numbers[i])) {
            case NumberKind::infinite: return "a number is not finite";
            case NumberKind::none: return no_number(*field, dim);
            case NumberKind::finite: break;
        }
    }
    word = line.substr(0, end);
    return {};
}

float little_endian_float(const char* bytes) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) bits |= uint32_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
    return std::bit_cast<float>(bits);
}

}  // namespace

std::optional<VectorFault> read_text_rows(std::string_view text, size_t dim, size_t most, unsigned threads,
                                          VectorRows& rows) {
    const std::vector<Line> lines = split_lines(text, most);
    rows.words.resize(lines.size());
    rows.numbers.resize(lines.size() * dim);
    const size_t tasks = (lines.size() + LINES_A_TASK - 1) / LINES_A_TASK;
    std::vector<std::optional<VectorFault>> faults(tasks);
    parallel_for(tasks, threads, [&](size_t task) {
        const size_t end = std::min(lines.size(), (task + 1) * LINES_A_TASK);
        for (size_t i = task * LINES_A_TASK; i < end; ++i) {
            std::string reason = read_line(lines[i].text, dim, rows.words[i], rows.numbers.data() + i * dim);
            if (reason.empty()) continue;
            faults[task] = VectorFault{lines[i].number, std::move(reason)};
            return;
        }
    });
    for (auto& fault : faults)
        if (fault) return std::move(fault);
    return std::nullopt;
}

std::optional<VectorFault> read_binary_rows(std::string_view block, size_t dim, size_t most, size_t& used,
                                            VectorRows& rows) {
    used = 0;
    while (rows.words.size() < most) {
        const size_t space = block.find(' ', used);
        if (space == std::string_view::npos || block.size() - space - 1 < 4 * dim) break;
        size_t begin = used;
        while (begin < space && block[begin] == '\n') ++begin;
        const char* const bytes = block.data() + space + 1;
        for (size_t k = 0; k < dim; ++k) {
            const float number = little_endian_float(bytes + 4 * k);
            if (!(number - number == 0)) return VectorFault{rows.words.size(), "a number is not finite"};
            rows.numbers.push_back(number);
        }
        rows.words.push_back(block.substr(begin, space - begin));
        used = space + 1 + 4 * dim;
    }
    return std::nullopt;
}

}  // namespace nlpkit
