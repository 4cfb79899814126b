#include "support/job.hpp"

#include "support/current_job.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace nlpkit {

namespace {

thread_local const Job* current_job = nullptr;

}  // namespace

void check_current_job() {
    if (current_job != nullptr) current_job->check();
}

void run_job(Job& job, const std::function<void()>& work, const std::function<void()>& tick) {
    std::mutex mutex;
    std::condition_variable ended;
    bool finished = false;
    std::exception_ptr work_error;
    std::exception_ptr tick_error;

    std::thread worker([&] {
        current_job = &job;
        try {
            work();
        } catch (...) {
            work_error = std::current_exception();
        }
        const std::lock_guard lock(mutex);
        finished = true;
        ended.notify_one();
    });

    std::unique_lock lock(mutex);
    while (!ended.wait_for(lock, std::chrono::milliseconds(50), [&] { return finished; })) {
        if (tick_error) continue;  // already cancelled: only wait for the work to notice
        lock.unlock();
        try {
            tick();
        } catch (...) {
            tick_error = std::current_exception();
            job.cancelled = true;
        }
        lock.lock();
    }
    lock.unlock();
    worker.join();
    if (tick_error) std::rethrow_exception(tick_error);
    if (work_error) std::rethrow_exception(work_error);
}

void parallel_for(size_t count, unsigned threads, const std::function<void(size_t)>& body) {
    const size_t workers = std::min<size_t>(std::max(1u, threads), count);
    if (workers <= 1) {
        for (size_t index = 0; index < count; ++index) body(index);
        return;
    }
    std::atomic<size_t> next{0};
    std::mutex mutex;
    std::exception_ptr error;
    const auto run = [&] {
        for (size_t index = next++; index < count; index = next++) {
            try {
                body(index);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!error) error = std::current_exception();
                next = count;
            }
        }
    };
    std::vector<std::thread> others;
    others.reserve(workers - 1);
    for (size_t i = 1; i < workers; ++i) {
        others.emplace_back([&run, job = current_job] {
            current_job = job;
            run();
        });
    }
    run();
    for (auto& other : others) other.join();
    if (error) std::rethrow_exception(error);
}

unsigned resolve_threads(unsigned requested) {
    if (requested > 0) return requested;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
#endif
    return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace nlpkit
