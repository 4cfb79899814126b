// Counted pre-tokens on disk: records in ascending order of the pre-tokens' bytes.
//
// A record is the pre-token's length and its count as unsigned LEB128 numbers, then its bytes. The records
// stand between a header and a checksum, which Python writes and checks (nlpkit/tokenization/training/counts_files.py).
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bpe_training/pretoken_source.hpp"
#include "support/job.hpp"

namespace nlpkit {

/// Reading or writing failed; `code` is the system's errno.
struct FileError : std::runtime_error {
    FileError(const std::string& path_, int code_) : std::runtime_error(path_), path(path_), code(code_) {}
    std::string path;
    int code;
};

/// A record is cut off, empty, or not in order.
struct DamagedRecords : std::runtime_error {
    explicit DamagedRecords(const std::string& path) : std::runtime_error(path) {}
};

/// The part of a file that holds records.
struct RecordRange {
    std::string path;  // UTF-8
    uint64_t begin;
    uint64_t end;
};

/// Appends records to a file.
class RecordWriter {
   public:
    explicit RecordWriter(const std::string& path);

    /// `pretoken` comes after all those before it.
    void write(std::string_view pretoken, uint64_t count);

    /// Writes what is still in memory; without it the file is not whole.
    void finish();

    uint64_t records() const { return records_; }
    uint64_t bytes() const { return bytes_; }  ///< that were written

   private:
    void put_number(uint64_t value);
    void flush();

    std::string path_;
    std::ofstream file_;
    std::vector<char> buffer_;
    uint64_t records_ = 0;
    uint64_t bytes_ = 0;
};

/// Reads records one after the other.
class RecordReader {
   public:
    explicit RecordReader(const RecordRange& range);

    /// Steps to the next record; false behind the last one.
    bool next();

    /// The record's pre-token, valid until the next step.
    std::string_view pretoken() const { return pretoken_; }
    uint64_t count() const { return count_; }

    /// The bytes of the range that are not read yet.
    uint64_t left() const { return range_.end - range_.begin + filled_ - at_; }

   private:
    void refill(size_t need);
    uint64_t get_number();

    RecordRange range_;
    std::ifstream file_;
    std::vector<char> buffer_;
    size_t at_ = 0;      // in the buffer
    size_t filled_ = 0;  // of the buffer
    std::string pretoken_;
    uint64_t count_ = 0;
};

/// The records of a file as they stand there.
class FileSource : public PretokenSource {
   public:
    explicit FileSource(RecordRange range) : range_(std::move(range)) {}
    void for_each(const Job& job, const VisitPretoken& visit) const override;

   private:
    RecordRange range_;
};

/// Adds up sorted files: calls `visit` once a unique pre-token, in ascending order. `job.done` advances by
/// the bytes read, to `job.total`. All files are open at once.
void merge_records(Job& job, std::span<const RecordRange> ranges, const VisitPretoken& visit);

}  // namespace nlpkit
