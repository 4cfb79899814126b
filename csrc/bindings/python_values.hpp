// Python values as the kernels take them, and back; shared by the tokenizer's bindings.
#pragma once

#include <nanobind/ndarray.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bpe_vocabulary/rank_table.hpp"
#include "bpe_encoding/id_buffer.hpp"
#include "text/text_batch.hpp"

namespace nlpkit {

using IdArray = nb::ndarray<nb::numpy, uint32_t, nb::ndim<1>>;
using OffsetArray = nb::ndarray<nb::numpy, uint64_t, nb::ndim<1>>;
using IdsIn = nb::ndarray<const uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

/// The UTF-8 of a str, kept alive. Pairs of surrogates are joined and lone ones become U+FFFD, as in tiktoken.
struct Utf8 {
    explicit Utf8(nb::handle text) : owner(nb::borrow(text)) {
        if (!PyUnicode_Check(text.ptr())) {
            throw nb::type_error(("expected str, got " + std::string(Py_TYPE(text.ptr())->tp_name)).c_str());
        }
        if (read()) return;
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0) throw nb::python_error();
        PyErr_Clear();
        const nb::object units =
            nb::steal(PyUnicode_AsEncodedString(text.ptr(), "utf-16-le", "surrogatepass"));
        if (!units.is_valid()) throw nb::python_error();
        owner = nb::steal(PyUnicode_FromEncodedObject(units.ptr(), "utf-16-le", "replace"));
        if (!owner.is_valid() || !read()) throw nb::python_error();
    }

    nb::object owner;
    std::string_view view;

   private:
    bool read() {
        Py_ssize_t size;
        const char* data = PyUnicode_AsUTF8AndSize(owner.ptr(), &size);
        if (data != nullptr) view = {data, static_cast<size_t>(size)};
        return data != nullptr;
    }
};

inline std::string_view as_bytes(nb::handle bytes) {
    char* data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw nb::python_error();
    return {data, static_cast<size_t>(size)};
}

/// The UTF-8 of several strings, or of a TextBatch; other threads may change the caller's list meanwhile.
struct Texts {
    explicit Texts(nb::handle sequence) {
        if (const TextBatch* batch; nb::try_cast(sequence, batch, false)) {
            owners.push_back(nb::borrow(sequence));
            views.reserve(batch->size());
            for (size_t i = 0; i < batch->size(); ++i) views.push_back((*batch)[i]);
            bytes = batch->bytes();
            return;
        }
        const nb::tuple strings = nb::steal<nb::tuple>(PySequence_Tuple(sequence.ptr()));
        if (!strings.is_valid()) throw nb::python_error();
        owners.reserve(strings.size());
        views.reserve(strings.size());
        for (const nb::handle text : strings) {
            Utf8 utf8(text);
            views.push_back(utf8.view);
            bytes += utf8.view.size();
            owners.push_back(std::move(utf8.owner));
        }
    }
    std::vector<nb::object> owners;
    std::vector<std::string_view> views;
    size_t bytes = 0;
};

inline uint32_t as_id(nb::handle value) {
    int past_64_bits = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &past_64_bits);
    if (number == -1 && PyErr_Occurred()) throw nb::python_error();
    if (past_64_bits != 0) {
        PyErr_SetString(PyExc_OverflowError, "a token id does not even fit 64 bits");
        throw nb::python_error();
    }
    if (number < 0 || number > UINT32_MAX) {
        PyErr_Format(PyExc_OverflowError, "token id %lld does not fit 32 bits: ids are 0 to 4294967295", number);
        throw nb::python_error();
    }
    return static_cast<uint32_t>(number);
}

// The items of {bytes: rank}; the views live as long as the dictionary is left alone.
inline std::vector<RankedToken> ranked_tokens(nb::dict ranks) {
    std::vector<RankedToken> tokens;
    tokens.reserve(ranks.size());
    for (const auto [bytes, rank] : ranks) tokens.push_back({as_bytes(bytes), as_id(rank)});
    return tokens;
}

inline IdArray to_array(IdBuffer& ids) {
    const size_t size = ids.size();
    uint32_t* data = ids.release();
    nb::capsule owner(data, [](void* memory) noexcept { IdBuffer::Free{}(static_cast<uint32_t*>(memory)); });
    return IdArray(data, {size}, owner);
}

inline OffsetArray to_array(std::vector<uint64_t>&& offsets) {
    auto* kept = new std::vector<uint64_t>(std::move(offsets));
    nb::capsule owner(kept, [](void* vector) noexcept { delete static_cast<std::vector<uint64_t>*>(vector); });
    return OffsetArray(kept->data(), {kept->size()}, owner);
}

}  // namespace nlpkit
