// Documents on several threads, and one long document too.
//
// What is encoded on its own (a document, or with special tokens the text between them) is cut at places where that
// leaves no trace, about every half megabyte. Where there is no such place, in a run of letters or of spaces, say,
// it stays whole: its one piece could not be shared anyway.
#include <algorithm>
#include <atomic>
#include <numeric>

#include "bpe_encoding/encoder.hpp"
#include "bpe_encoding/ordered_ids.hpp"
#include "pretokenizer/safe_cut.hpp"

namespace nlpkit {

namespace {

constexpr size_t kRunBytes = size_t{256} << 10;    // short documents are handed to threads in about this much text
constexpr size_t kChunkBytes = size_t{512} << 10;  // long ones in chunks of this much
constexpr size_t kCutWindow = size_t{16} << 10;    // how far from there a place to cut is looked for

/// Calls `chunk` with one chunk of a text after the other.
template <typename Chunk>
void cut_in_chunks(std::string_view text, const Chunk& chunk) {
    size_t begin = 0;
    for (size_t next = kChunkBytes; next + kChunkBytes / 2 < text.size(); next += kChunkBytes) {
        const size_t cut = find_safe_cut(text, next, next + kCutWindow);
        if (cut == next + kCutWindow) continue;
        chunk(text.substr(begin, cut - begin));
        begin = cut;
    }
    chunk(text.substr(begin));
}

}  // namespace

bool BpeEncoder::is_shared(size_t bytes) { return bytes >= 2 * kChunkBytes; }

/// A chunk of a long document, and an id after it.
struct BpeEncoder::Part {
    std::string_view text;
    std::optional<uint32_t> after;
};

/// What threads do one at a time: some short documents, or some parts of a long one.
struct BpeEncoder::Plan {
    struct Task {
        size_t first, last;                    // documents, or else parts, [first, last)
        std::optional<size_t> parts_of = {};  // the document
    };

    Plan(const std::vector<std::string_view>& texts, const SpecialMatcher* specials, std::optional<uint32_t> after,
         unsigned threads) {
        size_t run_bytes = kRunBytes;  // of the run under way; full: the next document begins another one
        for (size_t i = 0; i < texts.size(); ++i) {
            if (threads > 1 && is_shared(texts[i].size())) {
                add_parts(texts[i], specials, after);
                hand_out_parts(i);
                run_bytes = kRunBytes;
            } else if (run_bytes >= kRunBytes) {
                tasks.push_back({i, i + 1});
                run_bytes = texts[i].size();
            } else {
                tasks.back().last = i + 1;
                run_bytes += texts[i].size();
            }
            if (threads == 1) run_bytes = 0;  // all in one
        }
    }

    std::vector<Part> parts;
    std::vector<Task> tasks;

   private:
    void add_parts(std::string_view text, const SpecialMatcher* specials, std::optional<uint32_t> after) {
        const auto add = [this](std::string_view chunk) { parts.push_back({chunk, std::nullopt}); };
        if (specials == nullptr) {
            cut_in_chunks(text, add);
        } else {
            specials->split(
                text, [&](std::string_view part) { cut_in_chunks(part, add); },
                [&](uint32_t id) { parts.push_back({{}, id}); });
        }
        if (after) parts.push_back({{}, after});
    }

    /// Groups the parts that no task has yet, which are of document `i`, to about a run each.
    void hand_out_parts(size_t i) {
        size_t begin = handed_out_, bytes = 0;
        for (size_t part = begin; part < parts.size(); ++part) {
            bytes += parts[part].text.size();
            if (bytes < kRunBytes && part + 1 < parts.size()) continue;
            tasks.push_back({begin, part + 1, i});
            begin = part + 1;
            bytes = 0;
        }
        handed_out_ = parts.size();
    }

    size_t handed_out_ = 0;
};

void BpeEncoder::encode_document(std::string_view text, const SpecialMatcher* specials, Workspace& workspace,
                                 IdBuffer& ids, const Job& job) const {
    if (specials == nullptr) {
        encode_blocks(text, 0, workspace, ids, job);
        return;
    }
    specials->split(
        text, [&](std::string_view part) { encode_blocks(part, 0, workspace, ids, job); },
        [&](uint32_t id) { ids.push(id); });
}

RaggedIds BpeEncoder::encode_batch(const std::vector<std::string_view>& texts, const SpecialMatcher* specials,
                                   std::optional<uint32_t> after, unsigned threads, Job& job) const {
    static_cast<void>(scheme());
    const Plan plan(texts, specials, after, threads);
    OrderedIds ordered(plan.tasks.size());
    std::vector<size_t> counts(plan.tasks.size());
    RaggedIds ragged;
    ragged.offsets.assign(texts.size() + 1, 0);
    parallel_for(plan.tasks.size(), threads, [&](size_t t) {
        const auto& [first, last, parts_of] = plan.tasks[t];
        const Lease workspace(workspaces_);
        IdBuffer ids = ordered.blank();
        for (size_t i = first; i < last; ++i) {
            const size_t before = ids.size();
            if (parts_of) {
                const Part& part = plan.parts[i];
                encode_blocks(part.text, 0, *workspace, ids, job);
                if (part.after) ids.push(*part.after);
            } else {
                encode_document(texts[i], specials, *workspace, ids, job);
                if (after) ids.push(*after);
                ragged.offsets[i + 1] = ids.size() - before;
            }
        }
        counts[t] = ids.size();
        ordered.put(t, std::move(ids));
    });
    for (size_t t = 0; t < counts.size(); ++t) {
        if (const auto document = plan.tasks[t].parts_of) ragged.offsets[*document + 1] += counts[t];
    }
    std::partial_sum(ragged.offsets.begin(), ragged.offsets.end(), ragged.offsets.begin());
    ragged.ids = ordered.take();
    return ragged;
}

size_t BpeEncoder::count_shared(std::string_view text, unsigned threads, const Job& job) const {
    std::vector<std::string_view> chunks;
    cut_in_chunks(text, [&](std::string_view chunk) { chunks.push_back(chunk); });
    std::atomic<size_t> total{0};
    parallel_for(chunks.size(), threads, [&](size_t c) { total += count(chunks[c], SIZE_MAX, job); });
    return total;
}

}  // namespace nlpkit
