// The product of a table of vectors with one vector, at the speed of memory: float32 or float16 rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nlpkit {

/// Rows of `dim` numbers, `stride` numbers apart; `half`: IEEE binary16 in uint16_t, else float.
struct RowTable {
    const void* data;
    size_t rows, dim, stride;
    bool half;
};

/// Writes the dot product of each row with `query` (dim floats) to `dots` (rows floats). Each is the same whatever
/// the number of threads. Halves that are infinite or no numbers come out as large finite numbers.
void row_dots(const RowTable& table, const float* query, float* dots, unsigned threads);

}  // namespace nlpkit
