// The module nlpkit._core: each kernel registers itself in its own file of this folder.
#include "bindings/bindings.hpp"

#include "support/cpu.hpp"
#include "support/freed_memory.hpp"

namespace nlpkit {

void run_python_job(Job& job, nb::object progress, const std::function<void()>& work) {
    const auto tick = [&] {
        nb::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
        if (!progress.is_none()) progress(job.done.load(), job.total.load());
    };
    nb::gil_scoped_release release;
    run_job(job, work, tick);
}

}  // namespace nlpkit

NB_MODULE(_core, m) {
    using namespace nlpkit;
    nb::set_leak_warnings(false);  // objects that live to the interpreter's end are no leak of ours
    m.doc() = "nlpkit's compiled kernels; use the Python packages above them.";
    m.def("simd_level", &simd_level, "The instruction level that the kernels run at on this machine.");
    m.def("compiler", &compiler, "The compiler that built this module.");
    m.def("resolve_threads", &resolve_threads, nb::arg("requested") = 0,
          "The number of threads used for a request; 0 asks for all that this process may run on.");
    m.def("release_freed_memory", &release_freed_memory, nb::call_guard<nb::gil_scoped_release>(),
          "Give memory that was freed back to the system, where the C library keeps it (glibc).");
    register_pretokenizer(m);
    register_bpe_trainer(m);
    register_word2vec(m);
    register_text_batch(m);       // before the encoder, whose signatures name it
    register_words(m);
    register_special_matcher(m);  // before the encoder, whose signatures name it
    register_bpe_vocabulary(m);
    register_bpe_encoder(m);
    register_token_table(m);
    register_similarity(m);
    register_vector_files(m);
    register_script_runs(m);
}
