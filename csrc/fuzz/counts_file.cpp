// Fuzz target: counts files, as they were written and with damage.
//
//   whole      what was written is read back, and files add up
//   damaged    whatever the bytes are, reading gives records in ascending order with counts above zero, or
//              refuses; what it gives can be trained on or is refused
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "bpe_training/counts_file.hpp"
#include "bpe_training/trainer.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace nlpkit;

using Counts = std::map<std::string, uint64_t>;

/// A file of this process; every input overwrites it.
std::string file_named(const char* name) {
    static const auto folder = std::filesystem::temp_directory_path();
    return (folder / ("nlpkit-fuzz-" + std::to_string(getpid()) + name)).string();
}

Counts choose_counts(Choices& choices) {
    Counts counts;
    for (size_t n = choices.below(20); n > 0; --n) {
        const std::string pretoken = choices.bytes(1 + choices.below(choices.byte() % 16 == 0 ? 400 : 5));
        const uint64_t count = 1 + choices.below(300) * (choices.byte() % 4 == 0 ? uint64_t{1} << choices.below(56) : 1);
        if (!pretoken.empty()) counts[pretoken] = count;
    }
    return counts;
}

/// Writes the counts behind `ahead` bytes of something else, and returns where they stand.
RecordRange write(const Counts& counts, const char* name, size_t ahead) {
    const std::string path = file_named(name);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << std::string(ahead, '\xff');
    RecordWriter writer(path);
    for (const auto& [pretoken, count] : counts) writer.write(pretoken, count);
    writer.finish();
    if (writer.records() != counts.size()) fail("the writer counts its records wrongly");
    return {path, ahead, std::filesystem::file_size(path)};
}

/// What the records of a file are; nothing where they are refused.
Counts read(const RecordRange& range) {
    Counts counts;
    std::string before;
    try {
        FileSource(range).for_each(Job{}, [&](std::string_view pretoken, uint64_t count) {
            if (pretoken <= before || count == 0) fail("records out of order, or of nothing, were read");
            before = pretoken;
            counts[before] = count;
        });
    } catch (const DamagedRecords&) {
        return {};
    }
    return counts;
}

void check_whole(const Counts& counts, const Counts& others, size_t ahead) {
    const RecordRange ranges[] = {write(counts, "a", ahead), write(others, "b", 0)};
    if (read(ranges[0]) != counts) fail("what was written is not what is read");
    Counts sum = counts;
    for (const auto& [pretoken, count] : others) sum[pretoken] += count;
    Counts merged;
    Job job;
    merge_records(job, ranges, [&](std::string_view pretoken, uint64_t count) {
        if (!merged.emplace(pretoken, count).second) fail("adding up gives a pre-token twice");
    });
    if (merged != sum) fail("files do not add up");
}

/// Changes some bytes, or the place of the end.
RecordRange damage(RecordRange range, Choices& choices) {
    std::fstream file(range.path, std::ios::binary | std::ios::in | std::ios::out);
    for (size_t n = choices.below(4); n > 0 && range.end > range.begin; --n) {
        file.seekp(static_cast<std::streamoff>(range.begin + choices.below(range.end - range.begin)));
        file.put(static_cast<char>(choices.byte()));
    }
    if (choices.byte() % 2 == 0) range.end = choices.below(range.end + 40);  // also before the begin, and past the file
    return range;
}

void check_damaged(const RecordRange& range) {
    const Counts counts = read(range);
    Job job;
    TrainingOptions options;
    options.wanted = 20;
    try {
        const auto merges = learn_merges(job, FileSource(range), options).merges;
        if (counts.empty() && !merges.empty()) fail("damaged records were trained on");
        Counts again;
        const RecordRange twice[] = {range, range};
        merge_records(job, twice, [&](std::string_view pretoken, uint64_t count) { again.emplace(pretoken, count); });
        if (again.size() != counts.size()) fail("adding up damaged records gives others");
    } catch (const DamagedRecords&) {
        if (!counts.empty()) fail("what can be read cannot be trained on");
    } catch (const std::overflow_error&) {
        double bytes = 0;
        for (const auto& [pretoken, count] : counts) bytes += static_cast<double>(count) * static_cast<double>(pretoken.size());
        if (!counts.empty() && bytes < 0x1p62) fail("a short text is called too long");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Choices choices(data, size);
    const Counts counts = choose_counts(choices), others = choose_counts(choices);
    check_whole(counts, others, choices.below(100));
    check_damaged(damage(write(counts, "c", choices.below(100)), choices));
    const std::string path = file_named("d");  // the input itself as records
    std::ofstream(path, std::ios::binary | std::ios::trunc).write(reinterpret_cast<const char*>(data),
                                                                  static_cast<std::streamsize>(size));
    check_damaged({path, choices.below(size + 1), size});
    return 0;
}
