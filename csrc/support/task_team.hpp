// Many short batches of tasks on a few threads: a leader that never waits for a helper that is not there.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace nlpkit {

/// Where threads meet at a barrier every few microseconds, one that the system has set aside stops them all, and on
/// a busy machine some thread always is. Here the leader takes tasks as the helpers do, and waits only for those
/// that a helper has begun: with no processor left for the helpers it is as fast as one thread.
class TaskTeam {
public:
    explicit TaskTeam(unsigned threads) {
        for (unsigned i = 1; i < threads; ++i) helpers_.emplace_back([this] { help(); });
    }
    TaskTeam(const TaskTeam&) = delete;
    TaskTeam& operator=(const TaskTeam&) = delete;

    ~TaskTeam() {
        publish(QUIT << 32);
        for (std::thread& helper : helpers_) helper.join();
    }

    /// Runs `work` for every task below `count`, in any order, and returns when all have ended. The first exception
    /// is rethrown.
    void run(uint32_t count, const std::function<void(uint32_t)>& work) {
        work_ = &work;
        ended_.store(0, std::memory_order_relaxed);
        batch_ = (batch_ + 1) % QUIT;
        publish(batch_ << 32 | count);
        take_tasks();
        for (int spins = 0; ended_.load(std::memory_order_acquire) < count; ++spins)
            spins < SPINS ? pause() : std::this_thread::yield();
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }

private:
    static constexpr uint64_t QUIT = UINT32_MAX;  // in place of a batch's number
    static constexpr int SPINS = 1'000;           // some tens of microseconds

    void publish(uint64_t left) {
        left_.store(left, std::memory_order_release);
        left_.notify_all();
    }

    /// Takes tasks of the batch that is open until none is left; returns what `left_` then was. Taking one fails if
    /// the batch has changed since `left_` was read, so `work_` is the right one.
    uint64_t take_tasks() {
        uint64_t left = left_.load(std::memory_order_acquire);
        while (left >> 32 != QUIT && static_cast<uint32_t>(left) > 0) {
            if (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire))
                continue;
            try {
                (*work_)(static_cast<uint32_t>(left) - 1);
            } catch (...) {
                const std::lock_guard lock(mutex_);
                if (!error_) error_ = std::current_exception();
            }
            ended_.fetch_add(1, std::memory_order_release);
            left = left_.load(std::memory_order_acquire);
        }
        return left;
    }

    void help() {
        for (uint64_t seen = take_tasks(); seen >> 32 != QUIT; seen = take_tasks()) {
            for (int i = 0; i < SPINS && left_.load(std::memory_order_relaxed) == seen; ++i) pause();
            left_.wait(seen, std::memory_order_acquire);
        }
    }

    static void pause() {
#if defined(__x86_64__) && defined(__GNUC__)
        __builtin_ia32_pause();
#endif
    }

    std::atomic<uint64_t> left_{0};  // the batch's number in the upper half, its tasks not yet taken in the lower
    std::atomic<uint32_t> ended_{0};
    const std::function<void(uint32_t)>* work_ = nullptr;
    uint64_t batch_ = 0;
    std::mutex mutex_;
    std::exception_ptr error_;
    std::vector<std::thread> helpers_;
};

}  // namespace nlpkit
