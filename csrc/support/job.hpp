// Long native work: runs off the calling thread so that the caller can report progress and hear Ctrl-C.
// Threads are started per job and joined before it returns: nothing lives on that a fork() could break.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>

namespace nlpkit {

/// Thrown inside a job's work when the caller asked it to stop.
struct Cancelled : std::runtime_error {
    Cancelled() : std::runtime_error("cancelled") {}
};

/// What the working threads and the waiting caller share.
struct Job {
    std::atomic<uint64_t> done{0};
    std::atomic<uint64_t> total{0};
    std::atomic<bool> cancelled{false};

    /// Working threads call this often (at least every few milliseconds of work).
    void check() const {
        if (cancelled.load(std::memory_order_relaxed)) throw Cancelled();
    }
};

/// Runs `work` in a thread of its own while the caller calls `tick` every 50 ms. An exception from `tick`
/// (Ctrl-C, a progress callback that raises) cancels the work and is rethrown once the work has ended; an
/// exception from `work` is rethrown in the caller.
void run_job(Job& job, const std::function<void()>& work, const std::function<void()>& tick);

/// Calls `body(index)` for every index below `count`, on up to `threads` threads, handing out indices in
/// order. The first exception stops the handing out and is rethrown.
void parallel_for(size_t count, unsigned threads, const std::function<void(size_t)>& body);

/// The number of threads to use for a request: 0 means all that this process may run on.
unsigned resolve_threads(unsigned requested);

}  // namespace nlpkit
