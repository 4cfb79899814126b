// Unique pre-tokens and their counts, wherever they lie.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "support/job.hpp"

namespace nlpkit {

using VisitPretoken = std::function<void(std::string_view pretoken, uint64_t count)>;

class PretokenSource {
   public:
    virtual ~PretokenSource() = default;

    /// Calls `visit` for each unique pre-token, every time in the same order.
    virtual void for_each(const Job& job, const VisitPretoken& visit) const = 0;
};

}  // namespace nlpkit
