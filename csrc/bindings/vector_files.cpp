// Blocks of vector files for Python: words and numbers, or what is wrong with a line.
#include <nanobind/ndarray.h>

#include <memory>
#include <utility>

#include "bindings/bindings.hpp"
#include "vector_files/vector_rows.hpp"

namespace nlpkit {

namespace {

std::string_view view_of(const nb::bytes& block) { return {block.c_str(), block.size()}; }

nb::object words_of(const VectorRows& rows) {
    nb::list words;
    for (const std::string_view word : rows.words) words.append(nb::bytes(word.data(), word.size()));
    return words;
}

nb::object numbers_of(VectorRows&& rows, size_t dim) {
    auto held = std::make_unique<std::vector<float>>(std::move(rows.numbers));
    const size_t count = held->size() / dim;
    float* const data = held->data();
    nb::capsule owner(held.release(), [](void* numbers) noexcept { delete static_cast<std::vector<float>*>(numbers); });
    return nb::cast(nb::ndarray<nb::numpy, float>(data, {count, dim}, owner));
}

nb::object fault_of(const std::optional<VectorFault>& fault) {
    if (!fault) return nb::none();
    return nb::make_tuple(fault->place, fault->reason.c_str());
}

void check_dim(size_t dim) {
    if (dim == 0) throw nb::value_error("dim must be at least 1");
}

nb::tuple text_rows(const nb::bytes& lines, size_t dim, size_t most, unsigned threads) {
    check_dim(dim);
    VectorRows rows;
    std::optional<VectorFault> fault;
    {
        nb::gil_scoped_release release;
        fault = read_text_rows(view_of(lines), dim, most, resolve_threads(threads), rows);
    }
    if (fault) rows = {};
    const nb::object words = words_of(rows);
    return nb::make_tuple(words, numbers_of(std::move(rows), dim), fault_of(fault));
}

nb::tuple binary_rows(const nb::bytes& block, size_t dim, size_t most) {
    check_dim(dim);
    VectorRows rows;
    std::optional<VectorFault> fault;
    size_t used = 0;
    {
        nb::gil_scoped_release release;
        fault = read_binary_rows(view_of(block), dim, most, used, rows);
    }
    if (fault) rows = {};
    const nb::object words = words_of(rows);
    return nb::make_tuple(words, numbers_of(std::move(rows), dim), used, fault_of(fault));
}

}  // namespace

void register_vector_files(nb::module_& m) {
    m.def("read_text_rows", &text_rows, nb::arg("lines"), nb::kw_only(), nb::arg("dim"), nb::arg("most"),
          nb::arg("threads") = 0,
          nb::sig("def read_text_rows(lines: bytes, *, dim: int, most: int, threads: int = 0) -> tuple[list[bytes], "
                  "numpy.typing.NDArray[numpy.float32], tuple[int, str] | None]"),
          "Words and vectors, (words, dim), of up to `most` lines that are not blank; then nothing, or the first bad "
          "line's number from 0 and what is wrong with it.");
    m.def("read_binary_rows", &binary_rows, nb::arg("block"), nb::kw_only(), nb::arg("dim"), nb::arg("most"),
          nb::sig("def read_binary_rows(block: bytes, *, dim: int, most: int) -> tuple[list[bytes], "
                  "numpy.typing.NDArray[numpy.float32], int, tuple[int, str] | None]"),
          "Words and vectors of up to `most` whole rows, and how many bytes they take; then nothing, or the first bad "
          "row's number from 0 and what is wrong with it.");
}

}  // namespace nlpkit
