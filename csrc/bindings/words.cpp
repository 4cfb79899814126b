// Words between white space for Python: counts, and ids of a vocabulary.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/python_values.hpp"
#include "words/words.hpp"

namespace nlpkit {

namespace {

nb::str to_str(std::string_view word) { return nb::str(word.data(), word.size()); }

nb::tuple encode(const WordIds& self, nb::object texts, uint32_t unknown, std::optional<uint32_t> end,
                 unsigned threads) {
    const Texts read(texts);
    WordIdsOfTexts found;
    Job job;
    run_python_job(job, nb::none(), [&] {
        found = self.encode(read.views, unknown, end ? &*end : nullptr, resolve_threads(threads), job);
    });
    auto* kept = new std::vector<uint32_t>(std::move(found.ids));
    nb::capsule owner(kept, [](void* ids) noexcept { delete static_cast<std::vector<uint32_t>*>(ids); });
    return nb::make_tuple(IdArray(kept->data(), {kept->size()}, owner), to_array(std::move(found.offsets)));
}

}  // namespace

void register_words(nb::module_& m) {
    nb::class_<WordCounts>(m, "WordCounts", "How often each word (between white space, as str.split) came.")
        .def(nb::init<>())
        .def(
            "add",
            [](WordCounts& self, nb::object texts, unsigned threads) {
                const Texts read(texts);
                Job job;
                run_python_job(job, nb::none(), [&] { self.add(read.views, resolve_threads(threads), job); });
            },
            nb::arg("texts"), nb::arg("threads") = 0,
            nb::sig("def add(self, texts: collections.abc.Sequence[str] | TextBatch, threads: int = 0) -> None"),
            "Counts the words of some texts.")
        .def(
            "items",
            [](WordCounts& self) {
                const WordTable& table = self.joined();
                nb::list items;
                for (size_t i = 0; i < table.size(); ++i)
                    items.append(nb::make_tuple(to_str(table.word(i)), table.number(i)));
                return items;
            },
            nb::sig("def items(self) -> list[tuple[str, int]]"), "Each word and its count, in no order to rely on.");
    nb::class_<WordIds>(m, "WordIds", "The ids of a vocabulary's words.")
        .def(
            "__init__",
            [](WordIds* self, nb::sequence words) { new (self) WordIds(Texts(words).views); }, nb::arg("words"),
            nb::sig("def __init__(self, words: collections.abc.Sequence[str]) -> None"))
        .def("encode", &encode, nb::arg("texts"), nb::arg("unknown"), nb::arg("end") = nb::none(),
             nb::arg("threads") = 0,
             nb::sig("def encode(self, texts: collections.abc.Sequence[str] | TextBatch, unknown: int, end: int | None = None, "
                     "threads: int = 0) -> tuple[numpy.typing.NDArray[numpy.uint32], "
                     "numpy.typing.NDArray[numpy.uint64]]"),
             "The ids of several texts end to end, and the offsets at which each begins; words between white space.");
}

}  // namespace nlpkit
