// Scripts for Python: text in runs of one script, and tokens by stretch of text.
#include <nanobind/ndarray.h>

#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/python_values.hpp"
#include "text/script_runs.hpp"

namespace nlpkit {

namespace {

using EndsIn = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::span<const uint64_t> span_of(const EndsIn& ends) { return {ends.data(), ends.size()}; }

/// What `field(i)` gives for every i below `size`.
template <typename Field>
OffsetArray column(size_t size, const Field& field) {
    std::vector<uint64_t> numbers(size);
    for (size_t i = 0; i < size; ++i) numbers[i] = field(i);
    return to_array(std::move(numbers));
}

nb::tuple script_runs(nb::handle sequence, unsigned threads) {
    const Texts texts(sequence);
    std::vector<std::vector<ScriptRun>> of_texts(texts.views.size());
    Job job;
    run_python_job(job, nb::none(), [&] {
        parallel_for(of_texts.size(), resolve_threads(threads), [&](size_t i) {
            job.check();
            append_script_runs(texts.views[i], of_texts[i]);
        });
    });
    std::vector<ScriptRun> runs;
    std::vector<uint64_t> documents;
    for (size_t i = 0; i < of_texts.size(); ++i) {
        runs.insert(runs.end(), of_texts[i].begin(), of_texts[i].end());
        documents.insert(documents.end(), of_texts[i].size(), i);
    }
    uint64_t end = 0;
    return nb::make_tuple(to_array(std::move(documents)),
                          column(runs.size(), [&](size_t i) -> uint64_t { return runs[i].script; }),
                          column(runs.size(), [&](size_t i) { return end += runs[i].bytes; }),
                          column(runs.size(), [&](size_t i) -> uint64_t { return runs[i].characters; }),
                          column(runs.size(), [&](size_t i) -> uint64_t { return runs[i].words; }));
}

nb::tuple tokens_by_stretch(nb::handle sequence, EndsIn ends, EndsIn stretches) {
    const Texts texts(sequence);
    std::vector<StretchTokens> measured;
    {
        const nb::gil_scoped_release release;
        measured = measure_stretches(texts.views, span_of(ends), span_of(stretches));
    }
    return nb::make_tuple(column(measured.size(), [&](size_t i) { return measured[i].tokens; }),
                          column(measured.size(), [&](size_t i) { return measured[i].split_characters; }));
}

}  // namespace

void register_script_runs(nb::module_& m) {
    nb::list names;
    for (const std::string_view name : script_names()) names.append(nb::str(name.data(), name.size()));
    m.attr("SCRIPTS") = nb::tuple(names);
    m.def("script_runs", &script_runs, nb::arg("texts"), nb::arg("threads") = 0,
          nb::sig("def script_runs(texts: Sequence[str] | TextBatch, threads: int = 0) -> tuple["
                  "NDArray[numpy.uint64], NDArray[numpy.uint64], NDArray[numpy.uint64], NDArray[numpy.uint64], "
                  "NDArray[numpy.uint64]]"),
          "The runs of one script in texts: the number of the text, of the script in SCRIPTS, where the run ends in the "
          "texts laid end to end, its characters and words.");
    m.def("tokens_by_stretch", &tokens_by_stretch, nb::arg("texts"), nb::arg("ends").noconvert(),
          nb::arg("stretches").noconvert(),
          nb::sig("def tokens_by_stretch(texts: Sequence[str] | TextBatch, ends: NDArray[numpy.uint64], "
                  "stretches: NDArray[numpy.uint64]) -> tuple[NDArray[numpy.uint64], NDArray[numpy.uint64]]"),
          "How many tokens end in each stretch of texts laid end to end, and how many characters end a token inside "
          "themselves; both are given by where they end.");
    m.def("word_ends", [](nb::handle sequence) { return to_array(word_ends(Texts(sequence).views)); },
          nb::arg("texts"), nb::sig("def word_ends(texts: Sequence[str] | TextBatch) -> NDArray[numpy.uint64]"),
          "Where each word between white space ends in texts laid end to end.");
}

}  // namespace nlpkit
