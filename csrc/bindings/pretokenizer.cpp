// Python's view of the pre-tokenizer: offsets as numpy arrays.
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bindings/bindings.hpp"
#include "pretokenizer/pretokenizer.hpp"
#include "pretokenizer/safe_cut.hpp"
#include "pretokenizer/unicode_tables.hpp"

namespace nlpkit {

namespace {

using Ends = nb::ndarray<size_t, nb::numpy, nb::shape<-1>, nb::c_contig, nb::device::cpu>;
using CodePoints = nb::ndarray<const uint32_t, nb::numpy, nb::shape<-1>, nb::c_contig, nb::device::cpu>;
using Classes = nb::ndarray<uint8_t, nb::numpy, nb::shape<-1>, nb::c_contig, nb::device::cpu>;

constexpr size_t chunk = 1 << 16;  // ends found by one call of the scanner

/// A numpy array that owns a copy of `values`.
template <typename Array, typename Value>
Array to_numpy(const std::vector<Value>& values) {
    auto data = std::make_unique<Value[]>(values.size());
    std::copy(values.begin(), values.end(), data.get());
    nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<Value*>(p); });
    return Array(data.release(), {values.size()}, owner);
}

Scheme scheme_of(const std::string& name) {
    const auto scheme = scheme_from_name(name);
    if (!scheme) throw nb::value_error(("no scanner is named " + name).c_str());
    return *scheme;
}

/// The UTF-8 of a str, which lives as long as it does. A lone surrogate is a UnicodeEncodeError.
std::string_view utf8(const nb::str& text) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) throw nb::python_error();
    return {data, static_cast<size_t>(size)};
}

/// The same text as str; bytes that are not UTF-8 are a UnicodeDecodeError.
nb::str decode(const nb::bytes& text) {
    PyObject* decoded = PyUnicode_DecodeUTF8(text.c_str(), static_cast<Py_ssize_t>(text.size()), nullptr);
    if (decoded == nullptr) throw nb::python_error();
    return nb::steal<nb::str>(decoded);
}

Ends ends_of(const std::string& name, const nb::str& text) {
    const Scheme scheme = scheme_of(name);
    const std::string_view bytes = utf8(text);
    std::vector<size_t> ends;
    {
        const nb::gil_scoped_release release;
        for (size_t begin = 0; begin < bytes.size(); begin = ends.back()) {
            const size_t count = ends.size();
            const size_t room = std::min(bytes.size() - begin, chunk) + 64;  // 64: see pretokenize
            ends.resize(count + room);
            ends.resize(count + pretokenize(scheme, bytes, begin, ends.data() + count, room));
        }
    }
    return to_numpy<Ends>(ends);
}

size_t pretokenize_into(const std::string& name, const nb::str& text, size_t begin, Ends ends) {
    const Scheme scheme = scheme_of(name);
    const std::string_view bytes = utf8(text);
    if (begin > bytes.size()) throw nb::value_error("begin is past the end of the text");
    const nb::gil_scoped_release release;
    return pretokenize(scheme, bytes, begin, ends.data(), ends.shape(0));
}

Classes classes_of(CodePoints code_points) {
    std::vector<uint8_t> classes(code_points.shape(0));
    for (size_t i = 0; i < classes.size(); ++i) {
        if (code_points.data()[i] > 0x10FFFF) throw nb::value_error("a code point is at most 0x10FFFF");
        classes[i] = class_bits(code_points.data()[i]);
    }
    return to_numpy<Classes>(classes);
}

std::map<std::string, unsigned> unicode_classes() {
    return {{"uppercase", unicode::uppercase},
            {"titlecase", unicode::titlecase},
            {"modifier", unicode::modifier},
            {"other_letter", unicode::other_letter},
            {"lowercase", unicode::lowercase},
            {"mark", unicode::mark},
            {"number", unicode::number},
            {"whitespace", unicode::whitespace}};
}

}  // namespace

void register_pretokenizer(nb::module_& m) {
    m.def("pretokenize", &ends_of, nb::arg("scheme"), nb::arg("text"),
          "The ends of the pre-tokens of a text, as byte offsets into its UTF-8.");
    m.def("pretokenize", [](const std::string& scheme, const nb::bytes& text) {
              return ends_of(scheme, decode(text));
          }, nb::arg("scheme"), nb::arg("text"), "The same for UTF-8 in bytes.");
    m.def("pretokenize_into", &pretokenize_into, nb::arg("scheme"), nb::arg("text"), nb::arg("begin"),
          nb::arg("ends"),
          "Write ends of the pre-tokens from byte `begin` on into `ends`; returns how many.\n\n"
          "Go on with `begin` = the last end; 0 says that the text is done. Room for 64 or more is fast.");
    m.def("find_safe_cut",
          [](const nb::str& text, size_t from, size_t limit) {
              const std::string_view bytes = utf8(text);
              if (from == 0 || limit > bytes.size()) throw nb::value_error("from is above 0, limit within the text");
              return find_safe_cut(bytes, from, limit);
          },
          nb::arg("text"), nb::arg("from_"), nb::arg("limit"),
          "The first byte in [from, limit) where text can be cut so that both sides split as the whole, or limit.");
    m.def("class_bits", &classes_of, nb::arg("code_points"),
          "The classes of code points in the Unicode version of the scanners, as sums of unicode_classes().");
    m.def("unicode_classes", &unicode_classes, "The bit of each class that class_bits tells.");
    m.attr("UNICODE_VERSION") = unicode::version;
}

}  // namespace nlpkit
