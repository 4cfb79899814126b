#include "word2vec/plan.hpp"

namespace nlpkit {

namespace {

/// The window about a centre: at most `reach` kept tokens to either side, and none of another document.
PlannedCentre window_about(const std::vector<int32_t>& rows, size_t centre, size_t reach) {
    PlannedCentre planned{centre, centre, centre + 1};
    while (planned.first > 0 && centre - planned.first < reach && rows[planned.first - 1] != DOCUMENT_START)
        --planned.first;
    while (planned.last < rows.size() && planned.last - centre <= reach && rows[planned.last] != DOCUMENT_START)
        ++planned.last;
    return planned;
}

}  // namespace

void BlockPlan::draw(const PlanSource& source, size_t begin, size_t end) {
    centres.clear();
    negatives.clear();
    for (size_t centre = begin; centre < end; ++centre) {
        if (source.kept.rows[centre] == DOCUMENT_START) continue;
        const CounterRandom draws = source.random.child(source.kept.positions[centre]);
        const size_t reach = 1 + below(draws(WINDOW_DRAW), source.options.window);
        const PlannedCentre planned = window_about(source.kept.rows, centre, reach);
        if (planned.contexts() == 0) continue;
        centres.push_back(planned);
        const size_t count = source.negatives_of(planned);
        for (size_t n = 0; n < count; ++n) negatives.push_back(source.noise(draws(FIRST_NEGATIVE_DRAW + n)));
    }
}

}  // namespace nlpkit
