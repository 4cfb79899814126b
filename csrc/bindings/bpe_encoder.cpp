// nlpkit._core.BpeEncoder: strings in, lists of int or arrays out.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bindings/bpe_vocabulary.hpp"
#include "bpe_encoding/dropout_encoding.hpp"
#include "bpe_encoding/encoder.hpp"
#include "bindings/python_values.hpp"
#include "bpe_encoding/special_matcher.hpp"
#include "support/table_memory.hpp"

namespace nlpkit {

namespace {

constexpr size_t kKeepGil = size_t{2} << 10;      // below this many bytes releasing the GIL costs more than it gives
constexpr size_t kInterruptible = size_t{1} << 20;  // from this many bytes on, Ctrl-C is heard

// Runs work without the GIL where it is worth it, and listens for Ctrl-C where it may take long.
template <typename Work>
void run_released(size_t bytes, Job& job, const Work& work) {
    if (bytes < kKeepGil) {
        work();
    } else if (bytes < kInterruptible) {
        nb::gil_scoped_release release;
        work();
    } else {
        run_python_job(job, nb::none(), work);
    }
}

// One int object an id, made when first needed and shared by every list: lists come out several times faster
// than with new objects, and smaller. Used with the GIL held.
class SharedInts {
   public:
    explicit SharedInts(const BpeVocabulary& vocabulary) {
        const uint32_t largest = vocabulary.rank(static_cast<TokenIndex>(vocabulary.size() - 1));
        if (largest >= 2 * kMaxTokens) return;
        size_ = largest + 1;
        objects_ = Table<PyObject*>(size_);
    }
    ~SharedInts() {
        for (size_t id = 0; id < size_; ++id) Py_XDECREF(objects_[id]);
    }
    SharedInts(const SharedInts&) = delete;
    SharedInts& operator=(const SharedInts&) = delete;

    nb::list list(const uint32_t* ids, size_t count) {
        nb::list result = nb::steal<nb::list>(PyList_New(static_cast<Py_ssize_t>(count)));
        if (!result.is_valid()) throw nb::python_error();
        for (size_t i = 0; i < count; ++i) PyList_SET_ITEM(result.ptr(), static_cast<Py_ssize_t>(i), get(ids[i]));
        return result;
    }

   private:
    PyObject* get(uint32_t id) {
        if (id >= size_) return create(id);
        if (objects_[id] == nullptr) objects_[id] = create(id);
        Py_INCREF(objects_[id]);
        return objects_[id];
    }

    static PyObject* create(uint32_t id) {
        PyObject* object = PyLong_FromUnsignedLong(id);
        if (object == nullptr) throw nb::python_error();
        return object;
    }

    Table<PyObject*> objects_;
    size_t size_ = 0;
};

class PyBpeEncoder {
   public:
    PyBpeEncoder(const PyBpeVocabulary& vocabulary, std::optional<std::string> scheme)
        : encoder_(vocabulary.shared, parse_scheme(scheme)), ints_(encoder_.vocabulary()) {}

    nb::list encode(nb::handle text, const SpecialMatcher* specials) {
        IdBuffer ids = encode_text(text, specials);
        return ints_.list(ids.data(), ids.size());
    }

    IdArray encode_array(nb::handle text, const SpecialMatcher* specials, size_t enough) {
        IdBuffer ids = encode_text(text, specials, enough);
        return to_array(ids);
    }

    size_t count(nb::handle text, size_t limit) const {
        const Utf8 utf8(text);
        size_t total = 0;
        Job job;
        run_released(utf8.view.size(), job, [&] {
            const bool shared = limit == SIZE_MAX && BpeEncoder::is_shared(utf8.view.size());
            total = shared ? encoder_.count_shared(utf8.view, resolve_threads(0), job)
                           : encoder_.count(utf8.view, limit, job);
        });
        return total;
    }

    IdArray encode_pieces(nb::handle pieces) {
        const Texts texts(pieces);
        IdBuffer ids;
        Job job;
        run_released(texts.bytes, job, [&] { encoder_.encode_pieces(texts.views, ids, job); });
        return to_array(ids);
    }

    nb::list encode_piece(nb::bytes piece) {
        const std::string_view bytes = as_bytes(piece);
        IdBuffer ids;
        Job job;
        run_released(bytes.size(), job, [&] { encoder_.encode_bytes(bytes, ids); });
        return ints_.list(ids.data(), ids.size());
    }

    nb::tuple encode_batch(nb::handle texts, const SpecialMatcher* specials, std::optional<uint32_t> after,
                           unsigned threads) {
        RaggedIds ragged = batch(texts, specials, after, threads);
        return nb::make_tuple(to_array(ragged.ids), to_array(std::move(ragged.offsets)));
    }

    nb::list encode_batch_lists(nb::handle texts, const SpecialMatcher* specials, unsigned threads) {
        RaggedIds ragged = batch(texts, specials, std::nullopt, threads);
        nb::list lists;
        for (size_t i = 0; i + 1 < ragged.offsets.size(); ++i) {
            const uint64_t begin = ragged.offsets[i];
            lists.append(ints_.list(ragged.ids.data() + begin, ragged.offsets[i + 1] - begin));
        }
        return lists;
    }

    nb::tuple encode_with_dropout(nb::handle sequence, double probability, uint64_t seed, uint64_t first,
                                  const SpecialMatcher* specials, std::optional<uint32_t> after, unsigned threads) {
        const Texts texts(sequence);
        RaggedIds ragged;
        Job job;
        run_released(texts.bytes, job, [&] {
            ragged = nlpkit::encode_with_dropout(encoder_, texts.views, specials, after, {probability, seed, first},
                                                 resolve_threads(threads), job);
        });
        return nb::make_tuple(to_array(ragged.ids), to_array(std::move(ragged.offsets)));
    }

    IdArray encode_pieces_with_dropout(nb::handle pieces, size_t offset, double probability, uint64_t seed,
                                       uint64_t document) {
        const Texts texts(pieces);
        IdBuffer ids;
        Job job;
        run_released(texts.bytes, job, [&] {
            nlpkit::encode_pieces_with_dropout(encoder_, texts.views, offset, {probability, seed, document}, ids, job);
        });
        return to_array(ids);
    }

   private:
    static std::optional<Scheme> parse_scheme(const std::optional<std::string>& name) {
        if (!name) return std::nullopt;
        const auto scheme = scheme_from_name(*name);
        if (!scheme) throw nb::value_error(("there is no scheme named " + *name).c_str());
        return scheme;
    }

    IdBuffer encode_text(nb::handle text, const SpecialMatcher* specials, size_t enough = SIZE_MAX) {
        const Utf8 utf8(text);
        const std::string_view bytes = utf8.view;
        IdBuffer ids;
        Job job;
        run_released(bytes.size(), job, [&] {
            if (enough == SIZE_MAX && BpeEncoder::is_shared(bytes.size())) {
                ids = encoder_.encode_batch({bytes}, specials, std::nullopt, resolve_threads(0), job).ids;
                return;
            }
            ids.reserve(std::min(bytes.size() / 3, enough) + 16);
            if (specials == nullptr) {
                encoder_.encode(bytes, ids, job, enough);
                return;
            }
            specials->split(
                bytes, [&](std::string_view part) { encoder_.encode(part, ids, job); },
                [&](uint32_t id) { ids.push(id); });
        });
        return ids;
    }

    RaggedIds batch(nb::handle sequence, const SpecialMatcher* specials, std::optional<uint32_t> after,
                    unsigned threads) {
        const Texts texts(sequence);
        RaggedIds ragged;
        Job job;
        run_released(texts.bytes, job, [&] {
            ragged = encoder_.encode_batch(texts.views, specials, after, resolve_threads(threads), job);
        });
        return ragged;
    }

    BpeEncoder encoder_;
    SharedInts ints_;
};

}  // namespace

void register_bpe_encoder(nb::module_& m) {
    m.attr("MAX_TOKENS") = kMaxTokens;
    nb::class_<PyBpeEncoder>(m, "BpeEncoder", "Byte-pair encoding with a vocabulary; see nlpkit.tokenization.Tokenizer.")
        .def(nb::init<const PyBpeVocabulary&, std::optional<std::string>>(), nb::arg("vocabulary"),
             nb::arg("scheme").none() = nb::none(),
             "scheme: a name of csrc/pretokenizer/pretokenizer.hpp, or None to encode pieces only.")
        .def("encode", &PyBpeEncoder::encode, nb::arg("text"), nb::arg("specials").none() = nb::none(),
             nb::sig("def encode(self, text: str, specials: SpecialMatcher | None = None) -> list[int]"),
             "The ids of a str, as a list; what `specials` finds in it becomes its ids.")
        .def("encode_array", &PyBpeEncoder::encode_array, nb::arg("text"), nb::arg("specials").none() = nb::none(),
             nb::arg("enough") = SIZE_MAX,
             nb::sig("def encode_array(self, text: str, specials: SpecialMatcher | None = None, enough: int = ...) "
                     "-> NDArray[numpy.uint32]"),
             "The ids of a str, as a uint32 array; without specials, may end once there are `enough`.")
        .def("count", &PyBpeEncoder::count, nb::arg("text"), nb::arg("limit") = SIZE_MAX,
             nb::sig("def count(self, text: str, limit: int = ...) -> int"),
             "How many ids a str has, or some number above `limit` once they are more.")
        .def("encode_pieces", &PyBpeEncoder::encode_pieces, nb::arg("pieces"),
             nb::sig("def encode_pieces(self, pieces: Sequence[str]) -> NDArray[numpy.uint32]"),
             "The ids of strings that are already split into pieces.")
        .def("encode_piece", &PyBpeEncoder::encode_piece, nb::arg("piece"),
             nb::sig("def encode_piece(self, piece: bytes) -> list[int]"), "The ids of bytes taken as one piece.")
        .def("encode_batch", &PyBpeEncoder::encode_batch, nb::arg("texts"), nb::arg("specials").none() = nb::none(),
             nb::arg("after").none() = nb::none(), nb::arg("threads") = 0,
             nb::sig("def encode_batch(self, texts: Sequence[str] | TextBatch, specials: SpecialMatcher | None = None, "
                     "after: int | None = None, threads: int = 0) -> tuple[NDArray[numpy.uint32], NDArray[numpy.uint64]]"),
             "Documents on several threads: all ids, and the offsets of each document; `after` ends each one.")
        .def("encode_batch_lists", &PyBpeEncoder::encode_batch_lists, nb::arg("texts"),
             nb::arg("specials").none() = nb::none(), nb::arg("threads") = 0,
             nb::sig("def encode_batch_lists(self, texts: Sequence[str], specials: SpecialMatcher | None = None, "
                     "threads: int = 0) -> list[list[int]]"),
             "Documents on several threads: a list of ids for each.")
        .def("encode_with_dropout", &PyBpeEncoder::encode_with_dropout, nb::arg("texts"), nb::arg("probability"),
             nb::arg("seed"), nb::arg("first") = 0, nb::arg("specials").none() = nb::none(),
             nb::arg("after").none() = nb::none(), nb::arg("threads") = 0,
             nb::sig("def encode_with_dropout(self, texts: Sequence[str] | TextBatch, probability: float, seed: int, first: int = 0, "
                     "specials: SpecialMatcher | None = None, after: int | None = None, threads: int = 0) -> "
                     "tuple[NDArray[numpy.uint32], NDArray[numpy.uint64]]"),
             "As encode_batch, with merges left out by chance; text i draws the random numbers of document first + i.")
        .def("encode_pieces_with_dropout", &PyBpeEncoder::encode_pieces_with_dropout, nb::arg("pieces"),
             nb::arg("offset"), nb::arg("probability"), nb::arg("seed"), nb::arg("document"),
             nb::sig("def encode_pieces_with_dropout(self, pieces: Sequence[str], offset: int, probability: float, "
                     "seed: int, document: int) -> NDArray[numpy.uint32]"),
             "As encode_pieces, with merges left out by chance; the pieces begin at that byte of the document.");
}

}  // namespace nlpkit
