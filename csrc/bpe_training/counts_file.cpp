#include "bpe_training/counts_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

namespace nlpkit {

namespace {

constexpr size_t kBuffer = size_t{1} << 14;  // small: a merge holds one a file

std::filesystem::path to_path(const std::string& utf8) {
    return std::filesystem::path(std::u8string(utf8.begin(), utf8.end()));
}

int last_error() { return errno != 0 ? errno : EIO; }

}  // namespace

RecordWriter::RecordWriter(const std::string& path) : path_(path) {
    errno = 0;
    file_.open(to_path(path), std::ios::binary | std::ios::app);
    if (!file_) throw FileError(path_, last_error());
    buffer_.reserve(kBuffer);
}

void RecordWriter::write(std::string_view pretoken, uint64_t count) {
    put_number(pretoken.size());
    put_number(count);
    buffer_.insert(buffer_.end(), pretoken.begin(), pretoken.end());
    ++records_;
    if (buffer_.size() >= kBuffer) flush();
}

void RecordWriter::put_number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) buffer_.push_back(static_cast<char>(value | 0x80));
    buffer_.push_back(static_cast<char>(value));
}

void RecordWriter::flush() {
    errno = 0;
    file_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    if (!file_.flush()) throw FileError(path_, last_error());
    bytes_ += buffer_.size();
    buffer_.clear();
}

void RecordWriter::finish() {
    flush();
    file_.close();
    if (file_.fail()) throw FileError(path_, last_error());
}

RecordReader::RecordReader(const RecordRange& range) : range_(range), buffer_(kBuffer) {
    errno = 0;
    file_.open(to_path(range_.path), std::ios::binary);
    if (!file_.seekg(static_cast<std::streamoff>(range_.begin))) throw FileError(range_.path, last_error());
}

bool RecordReader::next() {
    if (at_ == filled_ && range_.begin == range_.end) return false;
    const uint64_t length = get_number();
    count_ = get_number();
    if (length == 0 || count_ == 0 || length > UINT32_MAX) throw DamagedRecords(range_.path);
    refill(length);
    const std::string_view bytes(buffer_.data() + at_, length);
    if (bytes <= pretoken_) throw DamagedRecords(range_.path);
    pretoken_ = bytes;
    at_ += length;
    return true;
}

/// Makes `need` bytes lie in the buffer.
void RecordReader::refill(size_t need) {
    if (filled_ - at_ >= need) return;
    if (need - (filled_ - at_) > range_.end - range_.begin) throw DamagedRecords(range_.path);
    std::memmove(buffer_.data(), buffer_.data() + at_, filled_ - at_);
    filled_ -= at_;
    at_ = 0;
    buffer_.resize(std::max(buffer_.size(), need));
    const size_t take = std::min<uint64_t>(buffer_.size() - filled_, range_.end - range_.begin);
    errno = 0;
    if (!file_.read(buffer_.data() + filled_, static_cast<std::streamsize>(take))) {
        if (file_.eof()) throw DamagedRecords(range_.path);
        throw FileError(range_.path, last_error());
    }
    filled_ += take;
    range_.begin += take;
}

uint64_t RecordReader::get_number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        refill(1);
        const auto byte = static_cast<uint8_t>(buffer_[at_++]);
        value |= static_cast<uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    throw DamagedRecords(range_.path);
}

void FileSource::for_each(const Job& job, const VisitPretoken& visit) const {
    RecordReader reader(range_);
    while (reader.next()) {
        job.check();
        visit(reader.pretoken(), reader.count());
    }
}

namespace {

/// A file among those that are added up, ordered by the pre-token that it stands at.
struct Run {
    explicit Run(const RecordRange& range) : reader(std::make_unique<RecordReader>(range)) {}

    /// Steps to the next record and adds its bytes to `done`; false behind the last one.
    bool next(uint64_t& done) {
        const uint64_t left = reader->left();
        const bool found = reader->next();
        done += left - reader->left();
        if (!found) return false;
        const std::string_view pretoken = reader->pretoken();
        std::array<uint8_t, 8> bytes{};
        std::memcpy(bytes.data(), pretoken.data(), std::min(pretoken.size(), bytes.size()));
        prefix = 0;
        for (const uint8_t byte : bytes) prefix = prefix << 8 | byte;
        return true;
    }

    bool operator<(const Run& other) const {
        return prefix != other.prefix ? prefix < other.prefix : reader->pretoken() < other.reader->pretoken();
    }

    std::unique_ptr<RecordReader> reader;
    uint64_t prefix = 0;  // the first eight bytes, as a number that orders as they do
};

/// Moves the first of a heap down to where it belongs: one pass, where taking it out and putting it back is two.
void sift_down(std::vector<Run>& heap) {
    size_t hole = 0;
    for (size_t child; (child = 2 * hole + 1) < heap.size(); hole = child) {
        if (child + 1 < heap.size() && heap[child + 1] < heap[child]) ++child;
        if (!(heap[child] < heap[hole])) break;
        std::swap(heap[child], heap[hole]);
    }
}

}  // namespace

void merge_records(Job& job, std::span<const RecordRange> ranges, const VisitPretoken& visit) {
    std::vector<Run> heap;
    uint64_t done = 0;
    for (const RecordRange& range : ranges) {
        job.total += range.end - range.begin;
        Run run(range);
        if (run.next(done)) heap.push_back(std::move(run));
    }
    std::sort(heap.begin(), heap.end());
    std::string pretoken;
    for (uint64_t visited = 0; !heap.empty(); ++visited) {
        if ((visited & 0xfff) == 0) {
            job.check();
            job.done = done;
        }
        pretoken = heap.front().reader->pretoken();
        uint64_t count = 0;
        while (!heap.empty() && heap.front().reader->pretoken() == pretoken) {
            count += heap.front().reader->count();
            if (!heap.front().next(done)) {
                std::swap(heap.front(), heap.back());
                heap.pop_back();
            }
            sift_down(heap);
        }
        visit(pretoken, count);
    }
    job.done = done;
}

}  // namespace nlpkit
