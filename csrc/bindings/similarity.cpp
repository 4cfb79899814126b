// Nearest rows for Python: dot products of a table with a vector, and the selection of the best.
#include <nanobind/ndarray.h>

#include <memory>
#include <vector>

#include "bindings/bindings.hpp"
#include "similarity/row_dots.hpp"
#include "similarity/top_rows.hpp"

namespace nlpkit {

namespace {

using AnyTable = nb::ndarray<nb::ro, nb::ndim<2>, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Scores = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr size_t WORTH_THREADS = size_t{1} << 19;  // numbers: below, starting threads costs more than they save

RowTable row_table(const AnyTable& vectors) {
    constexpr nb::dlpack::dtype half{static_cast<uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};
    const bool is_half = vectors.dtype() == half;
    if (!is_half && vectors.dtype() != nb::dtype<float>()) throw nb::type_error("vectors must be float32 or float16");
    const size_t rows = vectors.shape(0), dim = vectors.shape(1);
    if ((dim > 1 && vectors.stride(1) != 1) || (rows > 1 && vectors.stride(0) < static_cast<int64_t>(dim)))
        throw nb::value_error("each row of the vectors must be contiguous, and rows in order");
    return {vectors.data(), rows, dim, rows > 1 ? static_cast<size_t>(vectors.stride(0)) : dim, is_half};
}

template <class Number>
nb::object owned_array(std::vector<Number> numbers, std::initializer_list<size_t> shape) {
    auto held = std::make_unique<std::vector<Number>>(std::move(numbers));
    Number* const data = held->data();
    nb::capsule owner(held.release(), [](void* p) noexcept { delete static_cast<std::vector<Number>*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, Number>(data, shape, owner));
}

nb::object dots_of(const AnyTable& vectors, const Floats& query, unsigned threads) {
    const RowTable table = row_table(vectors);
    if (query.size() != table.dim) throw nb::value_error("the query must be as long as the rows");
    std::vector<float> dots(table.rows);
    {
        nb::gil_scoped_release release;
        const bool small = table.rows * table.dim < WORTH_THREADS;
        row_dots(table, query.data(), dots.data(), small ? 1 : resolve_threads(threads));
    }
    return owned_array(std::move(dots), {table.rows});
}

void add_scores(TopRows& self, const Scores& scores, const Floats& norms, uint32_t first_row, unsigned threads) {
    if (scores.shape(0) != self.queries() || scores.shape(1) != norms.size())
        throw nb::value_error("scores must be queries x rows, with a norm for each row");
    nb::gil_scoped_release release;
    const bool small = scores.size() < WORTH_THREADS;
    self.add(scores.data(), norms.data(), norms.size(), first_row, small ? 1 : resolve_threads(threads));
}

nb::tuple best_of(const TopRows& self) {
    const size_t queries = self.queries(), most = self.most();
    std::vector<int64_t> rows(queries * most, -1);
    std::vector<float> scores(queries * most, 0);
    for (size_t query = 0; query < queries; ++query) {
        size_t place = query * most;
        for (const ScoredRow& found : self.sorted(query)) {
            rows[place] = found.row;
            scores[place++] = found.score;
        }
    }
    return nb::make_tuple(owned_array(std::move(rows), {queries, most}),
                          owned_array(std::move(scores), {queries, most}));
}

}  // namespace

void register_similarity(nb::module_& m) {
    m.def("row_dots", &dots_of, nb::arg("vectors"), nb::arg("query"), nb::kw_only(), nb::arg("threads") = 0,
          nb::sig("def row_dots(vectors: numpy.typing.NDArray[numpy.float32] | numpy.typing.NDArray[numpy.float16], "
                  "query: numpy.typing.NDArray[numpy.float32], *, threads: int = 0) "
                  "-> numpy.typing.NDArray[numpy.float32]"),
          "The dot product of each row with the query.");
    nb::class_<TopRows>(m, "TopRows", "The best rows of several queries, found while scores come in block by block.")
        .def(nb::init<size_t, size_t>(), nb::arg("queries"), nb::arg("most"))
        .def("add", &add_scores, nb::arg("scores"), nb::arg("norms"), nb::arg("first_row"), nb::kw_only(),
             nb::arg("threads") = 0,
             nb::sig("def add(self, scores: numpy.typing.NDArray[numpy.float32], "
                     "norms: numpy.typing.NDArray[numpy.float32], first_row: int, *, threads: int = 0) -> None"),
             "Scores of the rows from `first_row` on, (queries, rows), each to be divided by its row's norm.")
        .def("best", &best_of,
             nb::sig("def best(self) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float32]]"),
             "Rows and scores, (queries, most), the best first; row -1 where there were too few.");
}

}  // namespace nlpkit
