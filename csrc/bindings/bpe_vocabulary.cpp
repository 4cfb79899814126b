// nlpkit._core.BpeVocabulary: ranks from Python, from a .tiktoken file or from an image, ready for use.
#include "bindings/bpe_vocabulary.hpp"

#include <optional>
#include <string>
#include <string_view>

#include "bindings/python_values.hpp"
#include "bpe_vocabulary/tiktoken_file.hpp"
#include "bpe_vocabulary/vocabulary_image.hpp"

namespace nlpkit {

namespace {

nb::bytes to_bytes(std::string_view bytes) { return nb::bytes(bytes.data(), bytes.size()); }

PyBpeVocabulary parse(nb::bytes content) {
    const std::string_view bytes = as_bytes(content);
    nb::gil_scoped_release release;
    return PyBpeVocabulary(BpeVocabulary(parse_tiktoken(bytes)));
}

/// The bytes of any object that has them in one row.
class Buffer {
   public:
    explicit Buffer(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    std::string_view bytes() const { return {static_cast<const char*>(view_.buf), static_cast<size_t>(view_.len)}; }

   private:
    Py_buffer view_;
};

nb::object restore(nb::handle image) {
    const Buffer buffer(image);
    std::optional<BpeVocabulary> vocabulary;
    {
        nb::gil_scoped_release release;
        vocabulary = from_image(buffer.bytes());
    }
    return vocabulary ? nb::cast(PyBpeVocabulary(std::move(*vocabulary))) : nb::object(nb::none());
}

nb::dict ranks(const PyBpeVocabulary& vocabulary) {
    const RankTable& tokens = vocabulary.shared->tokens();
    nb::dict ranks;
    for (TokenIndex token = 0; token < tokens.size(); ++token) {
        ranks[to_bytes(tokens.bytes(token))] = nb::int_(tokens.rank(token));
    }
    return ranks;
}

nb::object find(const PyBpeVocabulary& vocabulary, nb::bytes token) {
    const TokenIndex found = vocabulary.shared->find(as_bytes(token));
    return found == kNoToken ? nb::object(nb::none()) : nb::int_(vocabulary.shared->rank(found));
}

}  // namespace

void register_bpe_vocabulary(nb::module_& m) {
    nb::class_<PyBpeVocabulary>(m, "BpeVocabulary", "Tokens and their ranks, ready for merging; never changes.")
        .def("__init__",
             [](PyBpeVocabulary* made, nb::dict ranks) {
                 new (made) PyBpeVocabulary(BpeVocabulary(RankTable(ranked_tokens(ranks))));
             },
             nb::arg("ranks"), nb::sig("def __init__(self, ranks: dict[bytes, int]) -> None"),
             "ranks: {token bytes: rank}. Raises ValueError, with a sentence, where they make no vocabulary.")
        .def_static("parse", &parse, nb::arg("content"),
                    "From the content of a .tiktoken file. Raises ValueError for a damaged one.")
        .def_static("restore", &restore, nb::arg("image"),
                    nb::sig("def restore(image: bytes | memoryview) -> BpeVocabulary | None"),
                    "From what `image` gave; None where the bytes are damaged or of another version.")
        .def("image", [](const PyBpeVocabulary& v) { return to_bytes(to_image(*v.shared)); },
             "Bytes from which the vocabulary is ready sooner than from its ranks.")
        .def("tiktoken", [](const PyBpeVocabulary& v) { return to_bytes(format_tiktoken(v.shared->tokens())); },
             "The content of its .tiktoken file.")
        .def("ranks", &ranks, nb::sig("def ranks(self) -> dict[bytes, int]"), "A new dictionary, in rank order.")
        .def("find", &find, nb::arg("token"), nb::sig("def find(self, token: bytes) -> int | None"),
             "The rank of a token, or None.")
        .def("__len__", [](const PyBpeVocabulary& v) { return v.shared->size(); })
        .def_prop_ro("max_rank",
                     [](const PyBpeVocabulary& v) { return v.shared->rank(static_cast<TokenIndex>(v.shared->size() - 1)); })
        .def_prop_ro("consistent", [](const PyBpeVocabulary& v) { return v.shared->consistent(); },
                     "Whether plain merging rebuilds every token, as in any trained vocabulary.");
}

}  // namespace nlpkit
