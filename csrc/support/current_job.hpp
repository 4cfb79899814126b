// The job that a thread works for, for work deep down that has none at hand.
#pragma once

namespace nlpkit {

/// `Job::check` of the job whose `run_job` this thread works in, also as a helper of `parallel_for`; without one it
/// does nothing.
void check_current_job();

}  // namespace nlpkit
