// word2vec for Python: options, one epoch at a time, and the two matrices as arrays.
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "word2vec/word2vec.hpp"
#include "bindings/bindings.hpp"

namespace nlpkit {

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using AnyIds = nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

IdSpan id_span(const AnyIds& ids) {
    if (ids.dtype() == nb::dtype<uint16_t>()) return {ids.data(), ids.size(), false};
    if (ids.dtype() == nb::dtype<uint32_t>()) return {ids.data(), ids.size(), true};
    throw nb::type_error("shards must be arrays of uint16 or uint32");
}

/// Checks here what the loops rely on.
TokenStream token_stream(const std::vector<AnyIds>& shards, const Array<uint64_t>& offsets, const Array<int32_t>& rows,
                         size_t row_count) {
    TokenStream stream{{}, {offsets.data(), offsets.size()}, {rows.data(), rows.size()}};
    uint64_t total = 0;
    for (const AnyIds& shard : shards) {
        stream.shards.push_back(id_span(shard));
        total += shard.size();
    }
    bool ordered = offsets.size() > 0 && offsets.data()[0] == 0 && stream.size() == total;
    for (size_t i = 1; i < offsets.size(); ++i) ordered = ordered && offsets.data()[i - 1] <= offsets.data()[i];
    if (!ordered) throw nb::value_error("document offsets must rise from 0 to the number of ids");
    for (size_t i = 0; i < rows.size(); ++i)
        if (rows.data()[i] < -1 || rows.data()[i] >= static_cast<int64_t>(row_count))
            throw nb::value_error("row_of_id names a row that does not exist");
    return stream;
}

/// One of some names; refused with all of them if it is none.
template <class Choice>
Choice choose(const char* option, const std::string& name, std::initializer_list<std::pair<const char*, Choice>> choices) {
    std::string names;
    for (const auto& [known, choice] : choices) {
        if (name == known) return choice;
        names += (names.empty() ? "" : ", ") + std::string(known);
    }
    throw nb::value_error((option + (": " + names)).c_str());
}

Word2VecOptions make_options(uint32_t dim, uint32_t window, uint32_t negative, uint32_t epochs, double lr,
                             double sample, const std::string& architecture, const std::string& objective,
                             const std::string& negatives, uint64_t seed, bool hogwild) {
    if (dim == 0 || window == 0 || epochs == 0) throw nb::value_error("dim, window and epochs must be at least 1");
    if (!(lr > 0) || !(sample >= 0)) throw nb::value_error("lr must be above 0 and sample at least 0");
    const auto chosen_architecture = choose<Architecture>(
        "architecture", architecture,
        {{"skipgram", Architecture::skipgram}, {"cbow", Architecture::cbow}, {"cbow-sum", Architecture::cbow_sum}});
    const auto chosen_objective = choose<Objective>("objective", objective,
                                                    {{"negative-sampling", Objective::negative_sampling},
                                                     {"hierarchical-softmax", Objective::hierarchical_softmax}});
    const auto chosen_negatives =
        choose<Negatives>("negatives", negatives, {{"shared", Negatives::shared}, {"exact", Negatives::exact}});
    return {dim, window, negative, epochs, lr, sample, chosen_architecture, chosen_objective, chosen_negatives, seed,
            hogwild};
}

std::span<const uint64_t> checked_counts(const Array<uint64_t>& counts) {
    if (counts.size() < 2 || counts.size() > INT32_MAX) throw nb::value_error("there must be 2 to 2^31 - 1 rows");
    for (size_t i = 0; i < counts.size(); ++i)
        if (counts.data()[i] == 0) throw nb::value_error("every row must occur");
    return {counts.data(), counts.size()};
}

using MatrixView = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

MatrixView matrix_view(Matrix& matrix, nb::handle owner) {
    return {matrix.row(0), {matrix.rows(), matrix.dim()}, owner, {static_cast<int64_t>(matrix.stride()), 1}};
}

}  // namespace

void register_word2vec(nb::module_& m) {
    nb::class_<EpochStatistics>(m, "EpochStatistics", "What one pass over a corpus amounted to.")
        .def_ro("loss", &EpochStatistics::loss, "Summed over the predictions, in nats.")
        .def_ro("predictions", &EpochStatistics::predictions, "(centre, context) pairs; centres for CBOW.")
        .def_ro("words", &EpochStatistics::words, "Tokens that have a row.")
        .def_ro("kept", &EpochStatistics::kept, "Of these, what subsampling left.");
    nb::class_<Word2Vec>(m, "Word2Vec", "word2vec's two matrices and the loop that trains them; see nlpkit.embeddings.")
        .def(
            "__init__",
            [](Word2Vec* self, const Array<uint64_t>& counts, uint32_t dim, uint32_t window, uint32_t negative,
               uint32_t epochs, double lr, double sample, const std::string& architecture,
               const std::string& objective, const std::string& negatives, uint64_t seed, bool hogwild) {
                const Word2VecOptions options = make_options(dim, window, negative, epochs, lr, sample, architecture,
                                                             objective, negatives, seed, hogwild);
                new (self) Word2Vec(options, checked_counts(counts));
            },
            nb::arg("counts"), nb::kw_only(), nb::arg("dim"), nb::arg("window"), nb::arg("negative"),
            nb::arg("epochs"), nb::arg("lr"), nb::arg("sample"), nb::arg("architecture"), nb::arg("objective"),
            nb::arg("negatives"), nb::arg("seed"), nb::arg("hogwild") = false)
        .def(
            "train",
            [](Word2Vec& self, const std::vector<AnyIds>& shards, const Array<uint64_t>& offsets,
               const Array<int32_t>& rows, uint32_t epoch, uint64_t begin, uint64_t end, unsigned threads,
               nb::object progress) {
                const TokenStream stream = token_stream(shards, offsets, rows, self.input().rows());
                const auto starts_chunk = [&](uint64_t at) { return at % CHUNK_TOKENS == 0 || at == stream.size(); };
                if (begin > end || end > stream.size() || !starts_chunk(begin) || !starts_chunk(end))
                    throw nb::value_error("begin and end must be multiples of chunk_tokens, or the corpus' size");
                Job job;
                job.total = stream.size() * self.options().epochs;
                EpochStatistics statistics;
                run_python_job(job, std::move(progress), [&] {
                    statistics = self.train(stream, {epoch, begin}, end, resolve_threads(threads), job);
                });
                return statistics;
            },
            nb::arg("shards"), nb::arg("document_offsets"), nb::arg("row_of_id"), nb::kw_only(), nb::arg("epoch"),
            nb::arg("begin"), nb::arg("end"), nb::arg("threads") = 0, nb::arg("progress") = nb::none(),
            nb::sig("def train(self, shards: collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16] | "
                    "numpy.typing.NDArray[numpy.uint32]], document_offsets: numpy.typing.NDArray[numpy.uint64], "
                    "row_of_id: numpy.typing.NDArray[numpy.int32], *, epoch: int, begin: int, end: int, "
                    "threads: int = 0, progress: collections.abc.Callable[[int, int], None] | None = None) "
                    "-> EpochStatistics"),
            "Trains from one position of an epoch to another, each a multiple of `chunk_tokens` or the corpus' size; "
            "`progress(done, total)` counts the tokens of all epochs.")
        .def(
            "evaluate",
            [](Word2Vec& self, const std::vector<AnyIds>& shards, const Array<uint64_t>& offsets,
               const Array<int32_t>& rows, unsigned threads) {
                const TokenStream stream = token_stream(shards, offsets, rows, self.input().rows());
                Job job;
                EpochStatistics statistics;
                run_python_job(job, nb::none(),
                               [&] { statistics = self.evaluate(stream, resolve_threads(threads), job); });
                return statistics;
            },
            nb::arg("shards"), nb::arg("document_offsets"), nb::arg("row_of_id"), nb::kw_only(), nb::arg("threads") = 0,
            nb::sig("def evaluate(self, shards: collections.abc.Sequence[numpy.typing.NDArray[numpy.uint16] | "
                    "numpy.typing.NDArray[numpy.uint32]], document_offsets: numpy.typing.NDArray[numpy.uint64], "
                    "row_of_id: numpy.typing.NDArray[numpy.int32], *, threads: int = 0) -> EpochStatistics"),
            "The loss on another corpus, with the same random choices at every call; nothing changes.")
        .def_prop_ro_static(
            "chunk_tokens", [](nb::handle) { return CHUNK_TOKENS; }, "Training may pause where so many tokens end.")
        .def(
            "learning_rate",
            [](const Word2Vec& self, uint32_t epoch, uint64_t position, uint64_t corpus_size) {
                return self.learning_rate(epoch, position, corpus_size);
            },
            nb::arg("epoch"), nb::arg("position"), nb::arg("corpus_size"), "The learning rate at a position.")
        .def_prop_ro(
            "input", [](nb::handle_t<Word2Vec> self) { return matrix_view(nb::cast<Word2Vec&>(self).input(), self); },
            "The word vectors, (rows, dim): a writable view.")
        .def_prop_ro(
            "output", [](nb::handle_t<Word2Vec> self) { return matrix_view(nb::cast<Word2Vec&>(self).output(), self); },
            "The output rows: centres and negatives, or a tree's inner nodes, (rows, dim): a writable view.");
}

}  // namespace nlpkit
