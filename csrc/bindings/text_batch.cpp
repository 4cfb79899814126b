// nlpkit._core.TextBatch: documents from bytes, for nlpkit/text/batches.py.
#include <nanobind/stl/string.h>

#include <string>
#include <string_view>

#include "bindings/python_values.hpp"
#include "text/text_batch.hpp"

namespace nlpkit {

namespace {

using MaskIn = nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

size_t append_jsonl(TextBatch& batch, nb::bytes block, size_t begin, const std::string& field, size_t enough) {
    const std::string_view bytes = as_bytes(block);
    const nb::gil_scoped_release release;
    return batch.append_jsonl(bytes, begin, field, enough);
}

size_t append_lines(TextBatch& batch, nb::bytes block, size_t begin, size_t enough) {
    const std::string_view bytes = as_bytes(block);
    const nb::gil_scoped_release release;
    return batch.append_lines(bytes, begin, enough);
}

std::string_view item(const TextBatch& batch, size_t index) {
    if (index >= batch.size()) throw nb::index_error("no document has this number");
    return batch[index];
}

}  // namespace

void register_text_batch(nb::module_& m) {
    nb::class_<TextBatch>(m, "TextBatch", "Documents as UTF-8, end to end; see nlpkit.text.batches.")
        .def(nb::init<>())
        .def("__len__", &TextBatch::size)
        .def_prop_ro("nbytes", &TextBatch::bytes, "The size of all documents in UTF-8.")
        .def_prop_ro("lines", &TextBatch::lines, "How many lines the last append_jsonl or append_lines passed.")
        .def("append", [](TextBatch& batch, nb::handle text) { batch.append(Utf8(text).view); }, nb::arg("text"),
             nb::sig("def append(self, text: str) -> None"),
             "Append a document; pairs of surrogates are joined, lone ones become U+FFFD.")
        .def("append_jsonl", &append_jsonl, nb::arg("block"), nb::arg("begin"), nb::arg("field"), nb::arg("enough"),
             "Append the texts in `field` of a block's lines from `begin` on; returns where the first line begins that "
             "is not plain, or that comes after `nbytes` has reached `enough`, or the block's size.")
        .def("append_lines", &append_lines, nb::arg("block"), nb::arg("begin"), nb::arg("enough"),
             "The same, each line being a document.")
        .def("__iter__", [](const TextBatch& batch) {
                 nb::list texts;
                 for (size_t i = 0; i < batch.size(); ++i) texts.append(nb::str(batch[i].data(), batch[i].size()));
                 return nb::iter(texts);
             }, nb::sig("def __iter__(self) -> collections.abc.Iterator[str]"), "The texts of the documents.")
        .def("__getitem__", [](const TextBatch& batch, size_t index) {
                 const std::string_view text = item(batch, index);
                 return nb::str(text.data(), text.size());
             }, nb::arg("index"), "The text of one document.")
        .def("select", [](const TextBatch& batch, MaskIn mask, bool value) {
                 if (mask.size() != batch.size()) throw nb::value_error("the mask has another length");
                 return batch.select([&](size_t i) { return mask.data()[i] == value; });
             }, nb::arg("mask"), nb::arg("value"),
             nb::sig("def select(self, mask: NDArray[numpy.bool_], value: bool) -> TextBatch"),
             "The documents where the mask, one bool a document, has the value.")
        .def("document", [](const TextBatch& batch, size_t index) {
                 const std::string_view bytes = item(batch, index);
                 return nb::bytes(bytes.data(), bytes.size());
             }, nb::arg("index"), "The UTF-8 of one document.");
}

}  // namespace nlpkit
