// Shared by the binding files: one register function a kernel, and the bridge from a job to Python.
#pragma once

#include <nanobind/nanobind.h>

#include <functional>

#include "support/job.hpp"

namespace nlpkit {

namespace nb = nanobind;

/// Runs `work` with the GIL released, calling `progress(done, total)` (may be None) about ten times a
/// second. Ctrl-C and exceptions from the callback stop the work and surface in Python.
void run_python_job(Job& job, nb::object progress, const std::function<void()>& work);

void register_pretokenizer(nb::module_& m);
void register_bpe_trainer(nb::module_& m);
void register_word2vec(nb::module_& m);
void register_bpe_vocabulary(nb::module_& m);
void register_words(nb::module_& m);
void register_bpe_encoder(nb::module_& m);
void register_special_matcher(nb::module_& m);
void register_text_batch(nb::module_& m);
void register_token_table(nb::module_& m);
void register_similarity(nb::module_& m);
void register_vector_files(nb::module_& m);
void register_script_runs(nb::module_& m);

}  // namespace nlpkit
