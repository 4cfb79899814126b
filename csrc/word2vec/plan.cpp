#include "word2vec/plan.hpp"

#include <algorithm>

namespace nlpkit {

namespace {

/// Finds windows about rising centres: none reaches into another document.
class WindowFinder {
public:
    WindowFinder(const std::vector<int32_t>& rows, size_t begin, size_t end, size_t window)
        : rows_(rows), limit_(std::min(rows.size(), end + window)), first_(begin), last_(begin) {
        while (first_ > 0 && begin - first_ < window && rows[first_ - 1] != DOCUMENT_START) --first_;
    }

    /// Passes a document's start.
    void start_document(size_t position) { first_ = last_ = position + 1; }

    /// At most `reach` kept tokens to either side.
    PlannedCentre about(size_t centre, size_t reach) {
        if (last_ <= centre)  // the first centre of its document in this block
            for (last_ = centre + 1; last_ < limit_ && rows_[last_] != DOCUMENT_START;) ++last_;
        const size_t before = std::min(reach, centre - first_), after = std::min(reach, last_ - centre - 1);
        return {centre, centre - before, centre + after + 1};
    }

private:
    const std::vector<int32_t>& rows_;
    size_t limit_;
    size_t first_, last_;  // of the document, as far as windows can reach
};

}  // namespace

void BlockPlan::draw(const PlanSource& source, size_t begin, size_t end, size_t slice) {
    centres.clear();
    negatives.clear();
    WindowFinder windows(source.kept.rows, begin, end, source.options.window);
    for (size_t centre = begin; centre < end; ++centre) {
        if (source.kept.rows[centre] == DOCUMENT_START) {
            windows.start_document(centre);
            continue;
        }
        const CounterRandom draws = source.random.child(source.kept.positions[centre]);
        const PlannedCentre planned = windows.about(centre, 1 + below(draws(WINDOW_DRAW), source.options.window));
        if (planned.contexts() == 0) continue;
        centres.push_back(planned);
        const size_t count = source.negatives_of(planned);
        for (size_t n = 0; n < count; ++n) negatives.push_back((*source.noise)(slice, draws(FIRST_NEGATIVE_DRAW + n)));
    }
}

}  // namespace nlpkit
