// Memory that malloc keeps after it was freed.
#pragma once

namespace nlpkit {

/// Gives freed memory back to the system, where the C library can be asked to (glibc).
void release_freed_memory();

}  // namespace nlpkit
