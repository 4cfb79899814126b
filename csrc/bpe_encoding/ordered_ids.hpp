// Ids that threads bring one task after the other, put end to end in the order of the tasks.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "bpe_encoding/id_buffer.hpp"

namespace nlpkit {

/// Tasks are handed out in order, so their ids come nearly in order: each is put in its place as soon as all before
/// it are there, and its memory, which the processor's cache still holds, serves the next task.
class OrderedIds {
   public:
    explicit OrderedIds(size_t tasks) : waiting_(tasks) {}

    /// An empty buffer for the ids of a task.
    IdBuffer blank() {
        const std::lock_guard lock(mutex_);
        if (spare_.empty()) return {};
        IdBuffer buffer = std::move(spare_.back());
        spare_.pop_back();
        return buffer;
    }

    void put(size_t task, IdBuffer ids) {
        const std::lock_guard lock(mutex_);
        waiting_[task] = std::move(ids);
        for (; next_ < waiting_.size() && waiting_[next_]; ++next_) {
            IdBuffer buffer = std::move(*waiting_[next_]);
            waiting_[next_].reset();
            if (waiting_.size() == 1) {
                all_ = std::move(buffer);
                continue;
            }
            all_.append(buffer.data(), buffer.size());
            buffer.clear();
            spare_.push_back(std::move(buffer));
        }
    }

    /// The ids of all tasks, once the last has been put.
    IdBuffer take() { return std::move(all_); }

   private:
    std::mutex mutex_;
    std::vector<std::optional<IdBuffer>> waiting_;  // by task; those that others before them are missing for
    size_t next_ = 0;                               // the first task whose ids are not in all_
    IdBuffer all_;
    std::vector<IdBuffer> spare_;
};

}  // namespace nlpkit
