// Counting pre-tokens and learning merges, for nlpkit/tokenization/training.py.
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <vector>

#include "bindings.hpp"
#include "bpe_trainer.hpp"
#include "pretoken_counts.hpp"

namespace nlpkit {

namespace {

/// The UTF-8 of a list of str. ASCII is read in place; anything else is encoded into bytes that live as long
/// as this (not into the cache inside the str, which would stay with the caller's text).
class Utf8Strings {
   public:
    explicit Utf8Strings(const nb::list& strings) {
        views_.reserve(strings.size());
        for (nb::handle item : strings) views_.push_back(view(item));
    }

    const std::vector<std::string_view>& views() const { return views_; }
    size_t bytes() const {
        size_t total = 0;
        for (const std::string_view text : views_) total += text.size();
        return total;
    }

   private:
    std::string_view view(nb::handle item) {
        if (!PyUnicode_Check(item.ptr())) {
            throw nb::type_error("documents are str; decode bytes first");
        }
        if (PyUnicode_IS_ASCII(item.ptr())) {
            return {reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(item.ptr())),
                    static_cast<size_t>(PyUnicode_GET_LENGTH(item.ptr()))};
        }
        PyObject* const encoded = PyUnicode_AsUTF8String(item.ptr());
        if (encoded == nullptr) throw nb::python_error();
        encoded_.push_back(nb::steal(encoded));
        return {PyBytes_AS_STRING(encoded), static_cast<size_t>(PyBytes_GET_SIZE(encoded))};
    }

    std::vector<std::string_view> views_;
    std::vector<nb::object> encoded_;
};

Scheme scheme_named(const std::string& name) {
    const auto scheme = scheme_from_name(name);
    if (!scheme) throw nb::value_error(("no scanner is called " + name).c_str());
    return *scheme;
}

size_t add_documents(PretokenCounts& counts, const nb::list& documents, const std::string& scheme,
                   uint64_t weight, unsigned threads, nb::object progress) {
    const Scheme chosen = scheme_named(scheme);
    const Utf8Strings texts(documents);
    Job job;
    job.total = texts.bytes();
    run_python_job(job, std::move(progress), [&] {
        counts.add_documents(job, texts.views(), chosen, weight, resolve_threads(threads));
    });
    return texts.bytes();
}

size_t add_pieces(PretokenCounts& counts, const nb::list& pieces, const std::vector<uint64_t>& times) {
    const Utf8Strings texts(pieces);
    if (times.size() != texts.views().size()) throw nb::value_error("as many counts as pieces are needed");
    size_t bytes = 0;
    for (size_t i = 0; i < times.size(); ++i) {
        counts.add_piece(texts.views()[i], times[i]);
        bytes += texts.views()[i].size() * times[i];
    }
    return bytes;
}

using MergeArray = nb::ndarray<nb::numpy, uint32_t, nb::shape<-1, 2>>;

MergeArray learn(PretokenCounts& counts, size_t wanted, int64_t min_count, nb::object progress) {
    std::vector<Merge> merges;
    Job job;
    run_python_job(job, std::move(progress),
                   [&] { merges = learn_merges(job, counts.table(), wanted, min_count); });
    auto* const kept = new std::vector<Merge>(std::move(merges));
    const nb::capsule owner(kept, [](void* merges_) noexcept { delete static_cast<std::vector<Merge>*>(merges_); });
    return MergeArray(kept->data(), {kept->size(), 2}, owner);
}

}  // namespace

void register_bpe_trainer(nb::module_& m) {
    nb::class_<PretokenCounts>(m, "PretokenCounts", "Unique pre-tokens and how often each occurs.")
        .def(nb::init<>())
        .def("add_documents", &add_documents, nb::arg("documents"), nb::arg("scheme"), nb::arg("weight") = 1,
             nb::arg("threads") = 0, nb::arg("progress").none() = nb::none(),
             "Split each str by a named scanner and count its pre-tokens `weight` times; returns the bytes read.")
        .def("add_pieces", &add_pieces, nb::arg("pieces"), nb::arg("counts"),
             "Add counted pre-tokens that were split elsewhere; returns their bytes, each time counted.")
        .def("__len__", [](PretokenCounts& counts) { return counts.table().size(); })
        .def(
            "items",
            [](PretokenCounts& counts) {
                nb::list items;
                counts.table().for_each([&](std::string_view pretoken, uint64_t count) {
                    items.append(nb::make_tuple(nb::bytes(pretoken.data(), pretoken.size()), count));
                });
                return items;
            },
            "All (pre-token, count), in no particular order.")
        .def("learn_merges", &learn, nb::arg("wanted"), nb::arg("min_count") = 1,
             nb::arg("progress").none() = nb::none(),
             "The merges (n, 2) in order: bytes in GPT-2's order are symbols 0 to 255, merge i makes 256 + i.");
}

}  // namespace nlpkit
