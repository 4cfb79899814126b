// What one thread needs while it encodes, kept for the next call and handed out without locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "bpe_merging/merge.hpp"
#include "bpe_encoding/piece_cache.hpp"
#include "bpe_merging/merge_lanes.hpp"

namespace nlpkit {

/// Pieces that are looked up together.
inline constexpr size_t kPieceBlock = 512;

/// The pieces of a block that were not in the cache, each once, and their ids.
struct NewPieces {
    size_t count = 0;
    std::array<uint16_t, kPieceBlock> index;  // in the block
    std::array<MergedPiece, kPieceBlock> merged;
    std::array<PieceCache::Entry, kPieceBlock> entries;
    std::vector<uint32_t> ids;

    /// The piece of one of the entries, or null if it is none of them.
    const MergedPiece* of(const PieceCache::Entry* entry) const {
        const std::less<const PieceCache::Entry*> before;
        if (before(entry, entries.data()) || !before(entry, entries.data() + count)) return nullptr;
        return &merged[static_cast<size_t>(entry - entries.data())];
    }
};

struct Workspace {
    explicit Workspace(std::atomic<size_t>& cache_budget) : cache(cache_budget) {}
    PieceCache cache;
    NewPieces fresh;
    LinkedPiece scratch;
};

/// The workspaces of one encoder. A thread takes one by an atomic exchange, so that a fork in the middle
/// leaves the child with fewer, never with a lock that nobody opens.
class WorkspacePool {
   public:
    /// All that the caches take together, at the most, beyond what each begins with; one alone stays below
    /// PieceCache::kMostLineBytes + kMostArenaBytes.
    static constexpr size_t kMostCacheBytes = size_t{96} << 20;

    WorkspacePool() = default;
    WorkspacePool(const WorkspacePool&) = delete;
    WorkspacePool& operator=(const WorkspacePool&) = delete;
    ~WorkspacePool() {
        for (auto& place : idle_) delete place.load();
    }

   private:
    friend class Lease;
    std::atomic<size_t> cache_budget_{kMostCacheBytes};
    std::array<std::atomic<Workspace*>, 64> idle_{};
};

/// A workspace for as long as this lives.
class Lease {
   public:
    explicit Lease(WorkspacePool& pool) : pool_(pool) {
        for (auto& place : pool_.idle_) {
            if (place.load(std::memory_order_relaxed) == nullptr) continue;
            workspace_.reset(place.exchange(nullptr, std::memory_order_acquire));
            if (workspace_) return;
        }
        workspace_ = std::make_unique<Workspace>(pool_.cache_budget_);
    }

    ~Lease() {
        for (auto& place : pool_.idle_) {
            Workspace* none = nullptr;
            if (place.compare_exchange_strong(none, workspace_.get(), std::memory_order_release,
                                              std::memory_order_relaxed)) {
                static_cast<void>(workspace_.release());
                return;
            }
        }
    }

    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Workspace& operator*() const { return *workspace_; }

   private:
    WorkspacePool& pool_;
    std::unique_ptr<Workspace> workspace_;
};

}  // namespace nlpkit
