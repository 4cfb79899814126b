// nlpkit._core.BpeEncoder and TokenTable: strings in, lists of int or arrays out.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "bpe_encoder.hpp"
#include "token_table.hpp"

namespace nlpkit {

namespace {

using IdArray = nb::ndarray<nb::numpy, uint32_t, nb::ndim<1>>;
using OffsetArray = nb::ndarray<nb::numpy, uint64_t, nb::ndim<1>>;
using IdsIn = nb::ndarray<const uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr size_t kKeepGil = size_t{2} << 10;      // below this many bytes releasing the GIL costs more than it gives
constexpr size_t kInterruptible = size_t{1} << 20;  // from this many bytes on, Ctrl-C is heard

// The UTF-8 of a str, valid as long as the str. UnicodeEncodeError on surrogates.
std::string_view utf8(nb::handle text) {
    if (!PyUnicode_Check(text.ptr())) {
        throw nb::type_error(("expected str, got " + std::string(Py_TYPE(text.ptr())->tp_name)).c_str());
    }
    Py_ssize_t size;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) throw nb::python_error();
    return {data, static_cast<size_t>(size)};
}

std::string_view as_bytes(nb::handle bytes) {
    char* data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw nb::python_error();
    return {data, static_cast<size_t>(size)};
}

// Strings kept alive and their UTF-8, so that other threads may change the caller's list meanwhile.
struct Texts {
    explicit Texts(nb::handle sequence) : owner(nb::steal<nb::tuple>(PySequence_Tuple(sequence.ptr()))) {
        if (!owner.is_valid()) throw nb::python_error();
        views.reserve(owner.size());
        for (const nb::handle text : owner) {
            views.push_back(utf8(text));
            bytes += views.back().size();
        }
    }
    nb::tuple owner;
    std::vector<std::string_view> views;
    size_t bytes = 0;
};

uint32_t as_id(nb::handle value) {
    const unsigned long long number = PyLong_AsUnsignedLongLong(value.ptr());
    if (number == static_cast<unsigned long long>(-1) && PyErr_Occurred()) throw nb::python_error();
    if (number > UINT32_MAX) {
        PyErr_Format(PyExc_OverflowError, "token id %llu does not fit 32 bits", number);
        throw nb::python_error();
    }
    return static_cast<uint32_t>(number);
}

// The items of {bytes: rank}; the views live as long as the dictionary is left alone.
std::vector<RankedToken> ranked_tokens(nb::dict ranks) {
    std::vector<RankedToken> tokens;
    tokens.reserve(ranks.size());
    for (const auto [bytes, rank] : ranks) tokens.push_back({as_bytes(bytes), as_id(rank)});
    return tokens;
}

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

IdArray to_array(IdBuffer& ids) {
    const size_t size = ids.size();
    uint32_t* data = ids.release();
    nb::capsule owner(data, [](void* memory) noexcept { IdBuffer::Free{}(static_cast<uint32_t*>(memory)); });
    return IdArray(data, {size}, owner);
}

OffsetArray to_array(std::vector<uint64_t>&& offsets) {
    auto* kept = new std::vector<uint64_t>(std::move(offsets));
    nb::capsule owner(kept, [](void* vector) noexcept { delete static_cast<std::vector<uint64_t>*>(vector); });
    return OffsetArray(kept->data(), {kept->size()}, owner);
}

// One int object an id, made when first needed and shared by every list: lists come out several times faster
// than with new objects, and smaller. Used with the GIL held.
class SharedInts {
   public:
    explicit SharedInts(const BpeVocabulary& vocabulary)
        : objects_(vocabulary.rank(static_cast<TokenIndex>(vocabulary.size() - 1)) < 2 * kMaxTokens
                       ? vocabulary.rank(static_cast<TokenIndex>(vocabulary.size() - 1)) + 1
                       : 0) {}
    ~SharedInts() {
        for (PyObject* object : objects_) Py_XDECREF(object);
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
        if (id >= objects_.size()) return create(id);
        if (objects_[id] == nullptr) objects_[id] = create(id);
        Py_INCREF(objects_[id]);
        return objects_[id];
    }

    static PyObject* create(uint32_t id) {
        PyObject* object = PyLong_FromUnsignedLong(id);
        if (object == nullptr) throw nb::python_error();
        return object;
    }

    std::vector<PyObject*> objects_;
};

class PyBpeEncoder {
   public:
    PyBpeEncoder(nb::dict ranks, std::optional<std::string> scheme)
        : encoder_(BpeVocabulary(ranked_tokens(ranks)), parse_scheme(scheme)), ints_(encoder_.vocabulary()) {}

    bool consistent() const { return encoder_.vocabulary().consistent(); }

    nb::list encode(nb::handle text) {
        IdBuffer ids = encode_text(text);
        return ints_.list(ids.data(), ids.size());
    }

    IdArray encode_array(nb::handle text) {
        IdBuffer ids = encode_text(text);
        return to_array(ids);
    }

    IdArray encode_pieces(nb::handle pieces) {
        const Texts texts(pieces);
        IdBuffer ids;
        Job job;
        run_released(texts.bytes, job, [&] { encoder_.encode_pieces(texts.views, ids, job); });
        return to_array(ids);
    }

    nb::list encode_piece(nb::bytes piece) {
        IdBuffer ids;
        encoder_.encode_bytes(as_bytes(piece), ids);
        return ints_.list(ids.data(), ids.size());
    }

    nb::tuple encode_batch(nb::handle texts, std::optional<uint32_t> after, unsigned threads) {
        RaggedIds ragged = batch(texts, after, threads);
        return nb::make_tuple(to_array(ragged.ids), to_array(std::move(ragged.offsets)));
    }

    nb::list encode_batch_lists(nb::handle texts, unsigned threads) {
        RaggedIds ragged = batch(texts, std::nullopt, threads);
        nb::list lists;
        for (size_t i = 0; i + 1 < ragged.offsets.size(); ++i) {
            const uint64_t begin = ragged.offsets[i];
            lists.append(ints_.list(ragged.ids.data() + begin, ragged.offsets[i + 1] - begin));
        }
        return lists;
    }

   private:
    static std::optional<Scheme> parse_scheme(const std::optional<std::string>& name) {
        if (!name) return std::nullopt;
        const auto scheme = scheme_from_name(*name);
        if (!scheme) throw nb::value_error(("there is no scheme named " + *name).c_str());
        return scheme;
    }

    IdBuffer encode_text(nb::handle text) {
        const std::string_view bytes = utf8(text);
        IdBuffer ids;
        ids.reserve(bytes.size() / 3 + 16);
        Job job;
        run_released(bytes.size(), job, [&] { encoder_.encode(bytes, ids, job); });
        return ids;
    }

    RaggedIds batch(nb::handle sequence, std::optional<uint32_t> after, unsigned threads) {
        const Texts texts(sequence);
        RaggedIds ragged;
        Job job;
        run_released(texts.bytes, job, [&] {
            ragged = encoder_.encode_batch(texts.views, after, resolve_threads(threads), job);
        });
        return ragged;
    }

    BpeEncoder encoder_;
    SharedInts ints_;
};

// Ids from Python: an array as it is, or any sequence of int.
struct Ids {
    explicit Ids(IdsIn array) : data(array.data()), size(array.size()) {}
    explicit Ids(nb::handle sequence) {
        const nb::object fast = nb::steal(PySequence_Fast(sequence.ptr(), "token ids are a sequence of int"));
        if (!fast.is_valid()) throw nb::python_error();
        const auto count = static_cast<size_t>(PySequence_Fast_GET_SIZE(fast.ptr()));
        PyObject** items = PySequence_Fast_ITEMS(fast.ptr());
        numbers.reserve(count);
        for (size_t i = 0; i < count; ++i) numbers.push_back(as_id(items[i]));
        data = numbers.data();
        size = count;
    }
    std::vector<uint32_t> numbers;
    const uint32_t* data;
    size_t size;
};

class PyTokenTable {
   public:
    PyTokenTable(nb::dict ranks, nb::dict special_tokens) : table_(join(ranks, special_tokens)) {}

    size_t size() const { return table_.size(); }

    nb::bytes decode_bytes(const Ids& ids) const {
        const size_t size = measure(ids);
        nb::bytes result = nb::steal<nb::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
        if (!result.is_valid()) throw nb::python_error();
        table_.decode(ids.data, ids.size, PyBytes_AS_STRING(result.ptr()), size);
        return result;
    }

    nb::str decode_text(const Ids& ids, const char* errors) const {
        const size_t size = measure(ids);
        const std::unique_ptr<char[]> text(new char[size]);
        table_.decode(ids.data, ids.size, text.get(), size);
        nb::str result = nb::steal<nb::str>(PyUnicode_DecodeUTF8(text.get(), static_cast<Py_ssize_t>(size), errors));
        if (!result.is_valid()) throw nb::python_error();
        return result;
    }

    nb::bytes token_bytes(nb::handle id) const {
        const uint32_t number = as_id(id);
        try {
            const std::string_view bytes = table_.bytes(number);
            return nb::bytes(bytes.data(), bytes.size());
        } catch (const UnknownId& error) {
            raise_unknown(error.id);
        }
    }

   private:
    static std::vector<RankedToken> join(nb::dict ranks, nb::dict special_tokens) {
        std::vector<RankedToken> tokens = ranked_tokens(ranks);
        for (const auto [text, id] : special_tokens) tokens.push_back({utf8(text), as_id(id)});
        return tokens;
    }

    [[noreturn]] static void raise_unknown(uint32_t id) {
        PyErr_Format(PyExc_KeyError, "Invalid token for decoding: %lu", static_cast<unsigned long>(id));
        throw nb::python_error();
    }

    size_t measure(const Ids& ids) const {
        try {
            return table_.measure(ids.data, ids.size);
        } catch (const UnknownId& error) {
            raise_unknown(error.id);
        }
    }

    TokenTable table_;
};

}  // namespace

void register_bpe_encoder(nb::module_& m) {
    nb::class_<PyBpeEncoder>(m, "BpeEncoder", "Byte-pair encoding with a rank table; see nlpkit.tokenization.Tokenizer.")
        .def(nb::init<nb::dict, std::optional<std::string>>(), nb::arg("ranks"), nb::arg("scheme").none() = nb::none(),
             "ranks: {token bytes: rank}; scheme: a name of csrc/pretokenizer.hpp, or None to encode pieces only.")
        .def_prop_ro("consistent", &PyBpeEncoder::consistent,
                     "Whether plain merging rebuilds every token, as in any trained vocabulary.")
        .def("encode", &PyBpeEncoder::encode, nb::arg("text"), "The ids of a str, as a list.")
        .def("encode_array", &PyBpeEncoder::encode_array, nb::arg("text"), "The ids of a str, as a uint32 array.")
        .def("encode_pieces", &PyBpeEncoder::encode_pieces, nb::arg("pieces"),
             "The ids of strings that are already split into pieces.")
        .def("encode_piece", &PyBpeEncoder::encode_piece, nb::arg("piece"), "The ids of bytes taken as one piece.")
        .def("encode_batch", &PyBpeEncoder::encode_batch, nb::arg("texts"), nb::arg("after").none() = nb::none(),
             nb::arg("threads") = 0,
             nb::sig("def encode_batch(self, texts: Sequence[str], after: int | None = None, threads: int = 0) -> "
                     "tuple[NDArray[numpy.uint32], NDArray[numpy.uint64]]"),
             "Documents on several threads: all ids, and the offsets of each document; `after` ends each one.")
        .def("encode_batch_lists", &PyBpeEncoder::encode_batch_lists, nb::arg("texts"), nb::arg("threads") = 0,
             nb::sig("def encode_batch_lists(self, texts: Sequence[str], threads: int = 0) -> list[list[int]]"),
             "Documents on several threads: a list of ids for each.");
    nb::class_<PyTokenTable>(m, "TokenTable", "The bytes of every id.")
        .def(nb::init<nb::dict, nb::dict>(), nb::arg("ranks"), nb::arg("special_tokens"))
        .def("__len__", &PyTokenTable::size)
        .def("decode_bytes", [](const PyTokenTable& table, IdsIn ids) { return table.decode_bytes(Ids(ids)); },
             nb::arg("ids").noconvert(), "The bytes of ids, a uint32 array or a sequence of int.")
        .def("decode_bytes", [](const PyTokenTable& table, nb::handle ids) { return table.decode_bytes(Ids(ids)); },
             nb::arg("ids"), nb::sig("def decode_bytes(self, ids: Sequence[int]) -> bytes"))
        .def("decode_text",
             [](const PyTokenTable& table, IdsIn ids, const char* errors) { return table.decode_text(Ids(ids), errors); },
             nb::arg("ids").noconvert(), nb::arg("errors"), "The text of ids; `errors` as for bytes.decode.")
        .def("decode_text",
             [](const PyTokenTable& table, nb::handle ids, const char* errors) {
                 return table.decode_text(Ids(ids), errors);
             },
             nb::arg("ids"), nb::arg("errors"),
             nb::sig("def decode_text(self, ids: Sequence[int], errors: str) -> str"))
        .def("token_bytes", &PyTokenTable::token_bytes, nb::arg("id"), "The bytes of one id.");
}

}  // namespace nlpkit
