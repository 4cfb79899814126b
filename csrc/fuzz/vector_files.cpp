// Fuzz target: other programs' vector files, whatever their bytes are.
//
//   text     one thread and three read the same; every line that is not blank is a word with finite numbers, or refused
//   binary   rows end where they say, and nothing is read past the block
#include <cmath>

#include "fuzz/fuzz.hpp"
#include "vector_files/vector_rows.hpp"

namespace {

using namespace nlpkit;

void check_rows(const VectorRows& rows, std::string_view block, size_t dim, size_t most) {
    if (rows.words.size() > most || rows.numbers.size() != rows.words.size() * dim) fail("rows and numbers do not fit");
    for (const float number : rows.numbers)
        if (!std::isfinite(number)) fail("a number is not finite");
    for (const std::string_view word : rows.words)
        if (word.data() < block.data() || word.data() + word.size() > block.data() + block.size())
            fail("a word is outside its block");
}

/// Mostly what numbers are made of, so that lines come out whole.
std::string choose_text(Choices& choices) {
    constexpr std::string_view USUAL = "0123456789.-+eE 1 2 3\t\n\n a";
    std::string text;
    while (choices.left() > 0) {
        const uint8_t byte = choices.byte();
        text += byte < 250 ? USUAL[byte % USUAL.size()] : static_cast<char>(choices.byte());
    }
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Choices choices(data, size);
    const size_t dim = 1 + choices.below(4), most = choices.below(400);
    const std::string text = choose_text(choices);
    VectorRows one, three;
    const auto fault = read_text_rows(text, dim, most, 1, one), same = read_text_rows(text, dim, most, 3, three);
    if (fault.has_value() != same.has_value() || (fault && fault->place != same->place))
        fail("what is wrong depends on the number of threads");
    if (!fault) {
        if (one.words != three.words || one.numbers != three.numbers) fail("rows depend on the number of threads");
        check_rows(one, text, dim, most);
    }
    const std::string_view block(reinterpret_cast<const char*>(data), size);
    VectorRows rows;
    size_t used = 0;
    if (!read_binary_rows(block, dim, most, used, rows)) {
        if (used > size) fail("more bytes are used than there are");
        check_rows(rows, block, dim, most);
    }
    return 0;
}
