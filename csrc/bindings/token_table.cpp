// nlpkit._core.TokenTable: ids in, bytes or text out; and where bytes are text at all.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/bpe_vocabulary.hpp"
#include "bindings/python_values.hpp"
#include "bpe_vocabulary/token_table.hpp"
#include "support/job.hpp"
#include "support/utf8_runs.hpp"

namespace nlpkit {

namespace {

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

constexpr size_t kGroupIds = size_t{1} << 22;   // of a batch, decoded at once: bounds the memory
constexpr size_t kSharedIds = size_t{1} << 16;  // fewer are not worth a thread

// Sequences of ids end to end, copied: without the GIL other threads may change the caller's arrays.
struct IdBatch {
    std::vector<uint32_t> ids;
    std::vector<size_t> ends;

    void append(nb::handle sequence) {
        if (IdsIn array; nb::try_cast(sequence, array, false)) {
            ids.insert(ids.end(), array.data(), array.data() + array.size());
        } else {
            const Ids read(sequence);
            ids.insert(ids.end(), read.data, read.data + read.size);
        }
        ends.push_back(ids.size());
    }

    std::pair<const uint32_t*, size_t> sequence(size_t i) const {
        const size_t begin = i == 0 ? 0 : ends[i - 1];
        return {ids.data() + begin, ends[i] - begin};
    }
};

class PyTokenTable {
   public:
    PyTokenTable(const PyBpeVocabulary& vocabulary, nb::dict special_tokens)
        : table_(vocabulary.shared, specials(special_tokens)) {}

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

    /// What `make(text, size)` makes of the bytes of each sequence of ids.
    template <typename Make>
    nb::list decode_batch(nb::handle batch, unsigned threads, const Make& make) const {
        const nb::object fast = nb::steal(PySequence_Fast(batch.ptr(), "a batch is a sequence of sequences of ids"));
        if (!fast.is_valid()) throw nb::python_error();
        nb::list results;
        IdBatch group;
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.ptr()); ++i) {
            group.append(PySequence_Fast_GET_ITEM(fast.ptr(), i));
            if (group.ids.size() < kGroupIds) continue;
            decode_group(group, threads, make, results);
            group = {};
        }
        decode_group(group, threads, make, results);
        return results;
    }

    OffsetArray ends(const Ids& ids) const {
        std::vector<uint64_t> ends(ids.size);
        try {
            uint64_t end = 0;
            for (size_t i = 0; i < ids.size; ++i) ends[i] = end += table_.bytes(ids.data[i]).size();
        } catch (const UnknownId& error) {
            raise_unknown(error.id);
        }
        return to_array(std::move(ends));
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
    static std::vector<std::pair<uint32_t, std::string>> specials(nb::dict special_tokens) {
        std::vector<std::pair<uint32_t, std::string>> specials;
        for (const auto [text, id] : special_tokens) specials.emplace_back(as_id(id), Utf8(text).view);
        return specials;
    }

    [[noreturn]] static void raise_unknown(uint32_t id) {
        PyErr_Format(PyExc_KeyError, "Invalid token for decoding: %lu", static_cast<unsigned long>(id));
        throw nb::python_error();
    }

    struct Decoded {
        std::unique_ptr<char[]> text;
        size_t size = 0;
        std::optional<uint32_t> unknown;
    };

    Decoded decode_one(std::pair<const uint32_t*, size_t> ids) const {
        Decoded decoded;
        try {
            decoded.size = table_.measure(ids.first, ids.second);
            decoded.text.reset(new char[decoded.size]);
            table_.decode(ids.first, ids.second, decoded.text.get(), decoded.size);
        } catch (const UnknownId& error) {
            decoded.unknown = error.id;  // raised for the first sequence that has one, whichever thread is faster
        }
        return decoded;
    }

    template <typename Make>
    void decode_group(const IdBatch& group, unsigned threads, const Make& make, nb::list& results) const {
        std::vector<Decoded> texts(group.ends.size());
        const auto decode_all = [&](unsigned workers) {
            parallel_for(texts.size(), workers, [&](size_t i) { texts[i] = decode_one(group.sequence(i)); });
        };
        if (group.ids.size() < kSharedIds) {
            decode_all(1);
        } else {
            const nb::gil_scoped_release release;
            decode_all(threads);
        }
        for (Decoded& decoded : texts) {
            if (decoded.unknown) raise_unknown(*decoded.unknown);
            nb::object made = nb::steal(make(decoded.text.get(), static_cast<Py_ssize_t>(decoded.size)));
            if (!made.is_valid()) throw nb::python_error();
            results.append(std::move(made));
            decoded.text.reset();
        }
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

void register_token_table(nb::module_& m) {
    m.def("utf8_runs", [](nb::bytes bytes) { return to_array(utf8_runs(as_bytes(bytes))); }, nb::arg("bytes"),
          nb::sig("def utf8_runs(bytes: bytes) -> NDArray[numpy.uint64]"),
          "The ends of the stretches of bytes, by turns valid UTF-8 (the first may be empty) and not.");
    nb::class_<PyTokenTable>(m, "TokenTable", "The bytes of every id.")
        .def(nb::init<const PyBpeVocabulary&, nb::dict>(), nb::arg("vocabulary"), nb::arg("special_tokens"),
             nb::sig("def __init__(self, vocabulary: BpeVocabulary, special_tokens: dict[str, int]) -> None"))
        .def("__len__", &PyTokenTable::size)
        .def("decode_bytes", [](const PyTokenTable& table, IdsIn ids) { return table.decode_bytes(Ids(ids)); },
             nb::arg("ids").noconvert(), nb::sig("def decode_bytes(self, ids: NDArray[numpy.uint32]) -> bytes"),
             "The bytes of ids, a uint32 array or a sequence of int.")
        .def("decode_bytes", [](const PyTokenTable& table, nb::handle ids) { return table.decode_bytes(Ids(ids)); },
             nb::arg("ids"), nb::sig("def decode_bytes(self, ids: Sequence[int]) -> bytes"))
        .def("decode_text",
             [](const PyTokenTable& table, IdsIn ids, const char* errors) { return table.decode_text(Ids(ids), errors); },
             nb::arg("ids").noconvert(), nb::arg("errors"),
             nb::sig("def decode_text(self, ids: NDArray[numpy.uint32], errors: str) -> str"), "The text of ids; `errors` as for bytes.decode.")
        .def("decode_text",
             [](const PyTokenTable& table, nb::handle ids, const char* errors) {
                 return table.decode_text(Ids(ids), errors);
             },
             nb::arg("ids"), nb::arg("errors"),
             nb::sig("def decode_text(self, ids: Sequence[int], errors: str) -> str"))
        .def("decode_batch",
             [](const PyTokenTable& table, nb::handle batch, const char* errors, unsigned threads) {
                 return table.decode_batch(batch, threads, [errors](const char* text, Py_ssize_t size) {
                     return PyUnicode_DecodeUTF8(text, size, errors);
                 });
             },
             nb::arg("batch"), nb::arg("errors"), nb::arg("threads"),
             nb::sig("def decode_batch(self, batch: Sequence[Sequence[int] | NDArray[numpy.uint32]], errors: str, "
                     "threads: int) -> list[str]"),
             "decode_text of several sequences, on up to so many threads.")
        .def("decode_bytes_batch",
             [](const PyTokenTable& table, nb::handle batch, unsigned threads) {
                 return table.decode_batch(batch, threads, PyBytes_FromStringAndSize);
             },
             nb::arg("batch"), nb::arg("threads"),
             nb::sig("def decode_bytes_batch(self, batch: Sequence[Sequence[int] | NDArray[numpy.uint32]], "
                     "threads: int) -> list[bytes]"),
             "decode_bytes of several sequences, on up to so many threads.")
        .def("ends", [](const PyTokenTable& table, IdsIn ids) { return table.ends(Ids(ids)); },
             nb::arg("ids").noconvert(),
             nb::sig("def ends(self, ids: NDArray[numpy.uint32]) -> NDArray[numpy.uint64]"),
             "Where each id's bytes end in the bytes of all.")
        .def("token_bytes", &PyTokenTable::token_bytes, nb::arg("id"), "The bytes of one id.");
}

}  // namespace nlpkit
