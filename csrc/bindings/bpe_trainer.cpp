// Counting pre-tokens and learning merges, for nlpkit/tokenization/training/.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "bindings/bindings.hpp"
#include "bpe_training/trainer.hpp"
#include "bpe_training/counts_file.hpp"
#include "bpe_training/pretoken_counts.hpp"
#include "bpe_training/text_cuts.hpp"

namespace nlpkit {

namespace {

/// What a list of bytes and of ASCII str holds; they live as long as this.
class ByteStrings {
   public:
    explicit ByteStrings(nb::list strings) : strings_(std::move(strings)) {
        views_.reserve(strings_.size());
        for (nb::handle item : strings_) {
            views_.push_back(view(item));
            bytes_ += views_.back().size();
        }
    }

    const std::vector<std::string_view>& views() const { return views_; }
    size_t bytes() const { return bytes_; }

   private:
    static std::string_view view(nb::handle item) {
        if (PyUnicode_Check(item.ptr()) && PyUnicode_IS_ASCII(item.ptr())) {
            return {reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(item.ptr())),
                    static_cast<size_t>(PyUnicode_GET_LENGTH(item.ptr()))};
        }
        char* data;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(item.ptr(), &data, &size) != 0) throw nb::python_error();
        return {data, static_cast<size_t>(size)};
    }

    nb::list strings_;
    std::vector<std::string_view> views_;
    size_t bytes_ = 0;
};

Scheme scheme_named(const std::string& name) {
    const auto scheme = scheme_from_name(name);
    if (!scheme) throw nb::value_error(("no scanner is called " + name).c_str());
    return *scheme;
}

void add_documents(PretokenCounts& counts, nb::list documents, const std::string& scheme, uint64_t weight,
                   unsigned threads, nb::object progress) {
    const Scheme chosen = scheme_named(scheme);
    const ByteStrings texts(std::move(documents));
    Job job;
    job.total = texts.bytes();
    run_python_job(job, std::move(progress), [&] {
        counts.add_documents(job, texts.views(), chosen, weight, resolve_threads(threads));
    });
}

void add_pieces(PretokenCounts& counts, nb::list pieces, const std::vector<uint64_t>& times) {
    const ByteStrings texts(std::move(pieces));
    if (times.size() != texts.views().size()) throw nb::value_error("as many counts as pieces are needed");
    Job job;
    run_python_job(job, nb::none(), [&] {
        for (size_t i = 0; i < times.size(); ++i) counts.add_piece(job, texts.views()[i], times[i]);
    });
}

using MergeArray = nb::ndarray<nb::numpy, uint32_t, nb::shape<-1, 2>>;
using Ranks = nb::typed<nb::dict, nb::bytes, int>;

MergeArray to_array(std::vector<Merge> merges) {
    static_assert(sizeof(Merge) == 2 * sizeof(uint32_t));
    auto* const kept = new std::vector<Merge>(std::move(merges));
    const nb::capsule owner(kept, [](void* held) noexcept { delete static_cast<std::vector<Merge>*>(held); });
    return MergeArray(kept->data(), {kept->size(), 2}, owner);
}

BpeVocabulary to_vocabulary(const Ranks& ranks) {
    std::vector<RankedToken> tokens;
    for (const auto& [token, rank] : ranks) {
        const auto bytes = nb::cast<nb::bytes>(token);
        tokens.push_back({{bytes.c_str(), bytes.size()}, nb::cast<uint32_t>(rank)});
    }
    return BpeVocabulary(RankTable(std::move(tokens)));
}

/// What `learn_merges` of both sources does; `source` is called within the job.
template <class Source>
std::tuple<MergeArray, uint64_t, uint64_t> learn(const Source& source, size_t wanted, int64_t min_count,
                                                 uint32_t max_token_bytes, uint64_t prune_below,
                                                 size_t max_memory, const std::optional<Ranks>& ranks,
                                                 uint32_t first_id, nb::object progress) {
    const TrainingOptions options{wanted, min_count, max_token_bytes, prune_below, max_memory};
    std::optional<BpeVocabulary> vocabulary;
    if (ranks) vocabulary.emplace(to_vocabulary(*ranks));
    TrainingResult result;
    Job job;
    run_python_job(job, std::move(progress), [&] {
        result = vocabulary ? extend_merges(job, source(), options, *vocabulary, first_id)
                            : learn_merges(job, source(), options);
    });
    return {to_array(std::move(result.merges)), result.text_tokens, result.text_bytes};
}

/// Records as Python names them: the file's path, and where they begin and end in it.
using PyRange = std::tuple<std::string, uint64_t, uint64_t>;

RecordRange to_range(const PyRange& range) {
    return {std::get<0>(range), std::get<1>(range), std::get<2>(range)};
}

/// Writes a source's records behind what a file holds; returns how many.
template <class ForEach>
uint64_t append_records(const std::string& path, nb::object progress, const ForEach& for_each) {
    Job job;
    RecordWriter writer(path);
    run_python_job(job, std::move(progress), [&] {
        for_each(job, [&](std::string_view pretoken, uint64_t count) { writer.write(pretoken, count); });
        writer.finish();
    });
    return writer.records();
}

uint64_t merge_files(const std::vector<PyRange>& ranges, const std::string& path, nb::object progress) {
    std::vector<RecordRange> inputs;
    for (const PyRange& range : ranges) inputs.push_back(to_range(range));
    return append_records(path, std::move(progress),
                          [&](Job& job, const auto& write) { merge_records(job, inputs, write); });
}

uint64_t append_table(PretokenCounts& counts, const std::string& path) {
    return append_records(path, nb::none(), [&](Job& job, const auto& write) {
        counts.table().for_each_sorted(job, write);
    });
}

void spill(PretokenCounts& counts) {
    Job job;
    run_python_job(job, nb::none(), [&] { counts.spill(job); });
}

std::vector<PyRange> take_runs(PretokenCounts& counts) {
    std::vector<PyRange> ranges;
    for (const RecordRange& range : counts.take_runs()) ranges.emplace_back(range.path, range.begin, range.end);
    return ranges;
}

void read_records(PretokenCounts& counts, const PyRange& range) {
    Job job;
    run_python_job(job, nb::none(), [&] {
        FileSource(to_range(range)).for_each(job, [&](std::string_view pretoken, uint64_t count) {
            counts.add_piece(job, pretoken, count);
        });
    });
}

std::string_view as_view(const nb::bytes& text) { return {text.c_str(), text.size()}; }

nb::list items(PretokenCounts& counts) {
    nb::list list;
    counts.table().for_each_sorted(Job{}, [&](std::string_view pretoken, uint64_t count) {
        list.append(nb::make_tuple(nb::bytes(pretoken.data(), pretoken.size()), count));
    });
    return list;
}

/// How the exceptions of the trainer reach Python: OSError, and MemoryNeeded with all its numbers.
void register_exceptions(nb::module_& m) {
    nb::exception<DamagedRecords>(m, "DamagedRecords", PyExc_ValueError);
    static const nb::handle memory_needed =
        PyErr_NewExceptionWithDoc("nlpkit._core.MemoryNeeded",
                                  "Training would take more than max_memory. Its arguments: the bytes that would do, the "
                                  "prune_below that would (0: none), the unique pre-tokens, how many of them that drops, "
                                  "the occurrences of pre-tokens, and how many of those.",
                                  PyExc_MemoryError, nullptr);
    m.attr("MemoryNeeded") = memory_needed;
    nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
        try {
            std::rethrow_exception(pointer);
        } catch (const FileError& error) {
            errno = error.code;
            PyErr_SetFromErrnoWithFilename(PyExc_OSError, error.path.c_str());
        } catch (const MemoryNeeded& e) {
            const nb::tuple numbers = nb::make_tuple(e.least, e.prune_below, e.pretokens, e.dropped, e.occurrences,
                                                     e.dropped_occurrences);
            PyErr_SetObject(memory_needed.ptr(), numbers.ptr());
        }
    });
}

}  // namespace

void register_bpe_trainer(nb::module_& m) {
    register_exceptions(m);
    constexpr uint32_t kAnyLength = UINT32_MAX;
    constexpr size_t kAnyMemory = SIZE_MAX;
    const char* const learn_doc =
        "Learn merges, on top of the bytes in GPT-2's order or of `ranks` (then the first new id is `first_id`); "
        "returns the (n, 2) merged ids, and the text's tokens and bytes.";
    nb::class_<PretokenCounts>(m, "PretokenCounts", "Unique pre-tokens and how often each occurs.")
        .def(nb::init<size_t, std::string>(), nb::arg("max_memory") = kAnyMemory, nb::arg("prefix") = "",
             "Tables of more than `max_memory` bytes together move to sorted files named `prefix` and a number.")
        .def("add_documents", &add_documents, nb::arg("documents"), nb::arg("scheme"), nb::arg("weight") = 1,
             nb::arg("threads") = 0, nb::arg("progress").none() = nb::none(),
             "Split UTF-8 texts by a named scanner and count each pre-token `weight` times.")
        .def("add_pieces", &add_pieces, nb::arg("pieces"), nb::arg("counts"),
             "Add counted pre-tokens that were split elsewhere.")
        .def("read_records", &read_records, nb::arg("range"), "Add the records in (path, begin, end).")
        .def("append_records", &append_table, nb::arg("path"),
             "Write what is in memory as sorted records behind what the file holds; returns how many.")
        .def("spill", &spill, "Move what is in memory to files.")
        .def("take_runs", &take_runs, "The (path, begin, end) of each file written since the last call.")
        .def("clear", &PretokenCounts::clear, "Forget everything.")
        .def_prop_ro("memory", &PretokenCounts::memory, "The bytes of memory in use.")
        .def("__len__", [](PretokenCounts& counts) { return counts.table().size(); })
        .def("items", &items, nb::sig("def items(self) -> list[tuple[bytes, int]]"),
             "All (pre-token, count), in order of the bytes.")
        .def(
            "learn_merges",
            [](PretokenCounts& counts, size_t wanted, int64_t min_count, uint32_t max_token_bytes,
               uint64_t prune_below, size_t max_memory, const std::optional<Ranks>& ranks, uint32_t first_id,
               nb::object progress) {
                const auto source = [&]() -> const PretokenSource& { return counts.table(); };
                return learn(source, wanted, min_count, max_token_bytes, prune_below, max_memory, ranks, first_id,
                             std::move(progress));
            },
            nb::arg("wanted"), nb::arg("min_count") = 1, nb::arg("max_token_bytes") = kAnyLength,
            nb::arg("prune_below") = 1, nb::arg("max_memory") = kAnyMemory, nb::arg("ranks").none() = nb::none(),
            nb::arg("first_id") = 256, nb::arg("progress").none() = nb::none(), learn_doc);
    m.def("next_cut", [](const nb::bytes& text, size_t from) { return next_cut(as_view(text), from); }, nb::arg("text"),
          nb::arg("start"), "The first place of UTF-8 text from `start` on where every scanner ends a piece, or its end.");
    m.def("last_cut", [](const nb::bytes& text, size_t from, size_t to) { return last_cut(as_view(text), from, to); },
          nb::arg("text"), nb::arg("start"), nb::arg("stop"),
          "The last such place between `start` and `stop`, or 0 where there is none.");
    m.def("merge_records", &merge_files, nb::arg("ranges"), nb::arg("path"), nb::arg("progress").none() = nb::none(),
          "Add up the sorted records in each (path, begin, end) and write them behind what a file holds; returns how "
          "many.");
    m.def(
        "learn_merges_of_records",
        [](const PyRange& range, size_t wanted, int64_t min_count, uint32_t max_token_bytes, uint64_t prune_below,
           size_t max_memory, const std::optional<Ranks>& ranks, uint32_t first_id, nb::object progress) {
            const FileSource file(to_range(range));
            const auto source = [&]() -> const PretokenSource& { return file; };
            return learn(source, wanted, min_count, max_token_bytes, prune_below, max_memory, ranks, first_id,
                         std::move(progress));
        },
        nb::arg("range"), nb::arg("wanted"), nb::arg("min_count") = 1, nb::arg("max_token_bytes") = kAnyLength,
        nb::arg("prune_below") = 1, nb::arg("max_memory") = kAnyMemory, nb::arg("ranks").none() = nb::none(),
        nb::arg("first_id") = 256, nb::arg("progress").none() = nb::none(), learn_doc);
}

}  // namespace nlpkit
