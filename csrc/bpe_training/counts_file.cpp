#include "bpe_training/counts_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

namespace nlpkit {

namespace {

constexpr size_t kBuffer = size_t{1} << 16;  // small: a merge holds one a file

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

void FileSource::for_each(const Visit& visit) const {
    RecordReader reader(range_);
    while (reader.next()) visit(reader.pretoken(), reader.count());
}

void merge_records(Job& job, std::span<const RecordRange> ranges, const PretokenSource::Visit& visit) {
    std::vector<std::unique_ptr<RecordReader>> heap;
    const auto after = [](const auto& a, const auto& b) { return a->pretoken() > b->pretoken(); };
    for (const RecordRange& range : ranges) {
        auto reader = std::make_unique<RecordReader>(range);
        if (reader->next()) heap.push_back(std::move(reader));
    }
    std::make_heap(heap.begin(), heap.end(), after);
    std::string pretoken;
    while (!heap.empty()) {
        job.check();
        pretoken = heap.front()->pretoken();
        uint64_t count = 0;
        while (!heap.empty() && heap.front()->pretoken() == pretoken) {
            std::pop_heap(heap.begin(), heap.end(), after);
            count += heap.back()->count();
            ++job.done;
            if (heap.back()->next()) {
                std::push_heap(heap.begin(), heap.end(), after);
            } else {
                heap.pop_back();
            }
        }
        visit(pretoken, count);
    }
}

}  // namespace nlpkit
