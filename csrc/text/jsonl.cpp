#include "text/jsonl.hpp"

#include <cstdint>
#include <cstring>

#include "support/utf8_runs.hpp"

namespace nlpkit {

namespace {

constexpr int kMostDepth = 64;
constexpr size_t kMostDigits = 1000;  // Python refuses longer integers from 4,300 digits on

/// Thrown at the first byte that is not plain.
struct Odd {};

/// What a string cannot hold as it is: a quote, a backslash, a control character.
bool ends_run(char byte) { return byte == '"' || byte == '\\' || static_cast<uint8_t>(byte) < 0x20; }

bool eight_are_a_run(const char* bytes) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    constexpr uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;
    const auto has_zero = [](uint64_t w) { return (w - kOnes) & ~w & kHighs; };
    const uint64_t control = (word - kOnes * 0x20) & ~word & kHighs;
    return (has_zero(word ^ kOnes * '"') | has_zero(word ^ kOnes * '\\') | control) == 0;
}

void append_utf8(std::string& out, uint32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
    } else if (c < 0x10000) {
        out += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                static_cast<char>(0x80 | (c & 0x3f))};
    } else {
        out += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
                static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
    }
}

/// Reads one line from left to right; every function throws Odd where the line is not plain.
class Reader {
   public:
    explicit Reader(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

    bool at_end() const { return at_ == end_; }

    void skip_blanks() {
        while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
    }

    /// The next character that is not blank, left where it is.
    char peek() {
        skip_blanks();
        if (at_ == end_) throw Odd();
        return *at_;
    }

    void expect(char wanted) {
        if (peek() != wanted) throw Odd();
        ++at_;
    }

    bool accept(char wanted) {
        if (peek() != wanted) return false;
        ++at_;
        return true;
    }

    /// A string without escapes, such as a key.
    std::string_view plain_string() {
        expect('"');
        const char* const begin = at_;
        pass_run();
        if (*at_ != '"') throw Odd();
        return {begin, static_cast<size_t>(at_++ - begin)};
    }

    /// Appends a string's text to `out`; reads it only, where there is none.
    void string(std::string* out) {
        expect('"');
        for (;;) {
            const char* const begin = at_;
            pass_run();
            if (out != nullptr) out->append(begin, at_);
            if (*at_ == '"') break;
            if (*at_ != '\\') throw Odd();
            ++at_;
            escape(out);
        }
        ++at_;
    }

    void literal(std::string_view wanted) {
        if (static_cast<size_t>(end_ - at_) < wanted.size() || std::string_view(at_, wanted.size()) != wanted) {
            throw Odd();
        }
        at_ += wanted.size();
    }

    void skip_value(int depth) {
        if (depth > kMostDepth) throw Odd();
        switch (peek()) {
            case '"': return string(nullptr);
            case '{': return skip_members('}', depth);
            case '[': return skip_members(']', depth);
            case 't': return literal("true");
            case 'f': return literal("false");
            case 'n': return literal("null");
            default: return number();
        }
    }

   private:
    /// Moves to the end of a run of bytes that stand for themselves; there is a byte there.
    void pass_run() {
        while (end_ - at_ >= 8 && eight_are_a_run(at_)) at_ += 8;
        while (at_ < end_ && !ends_run(*at_)) ++at_;
        if (at_ == end_) throw Odd();
    }

    uint32_t hexadecimal() {
        if (end_ - at_ < 4) throw Odd();
        uint32_t value = 0;
        for (const char* const last = at_ + 4; at_ < last; ++at_) {
            const char c = *at_;
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) throw Odd();
            value = value << 4 | static_cast<uint32_t>(digit);
        }
        return value;
    }

    void escape(std::string* out) {
        if (at_ == end_) throw Odd();
        constexpr std::string_view kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
        const char letter = *at_++;
        uint32_t c;
        if (letter == 'u') {
            c = hexadecimal();
            if (c >= 0xD800 && c < 0xE000) c = joined(c);
        } else {
            const size_t which = kEscapes.find(letter);
            if (which == std::string_view::npos) throw Odd();
            c = static_cast<uint8_t>(kMeanings[which]);
        }
        if (out != nullptr) append_utf8(*out, c);
    }

    /// The character of a pair of surrogates of which the first has been read.
    uint32_t joined(uint32_t high) {
        if (high >= 0xDC00 || end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') throw Odd();
        at_ += 2;
        const uint32_t low = hexadecimal();
        if (low < 0xDC00 || low >= 0xE000) throw Odd();
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }

    void skip_members(char close, int depth) {
        ++at_;
        if (accept(close)) return;
        do {
            if (close == '}') {
                string_key();
                expect(':');
            }
            skip_value(depth + 1);
        } while (accept(','));
        expect(close);
    }

    void string_key() {
        if (peek() != '"') throw Odd();
        string(nullptr);
    }

    void digits() {
        const char* const begin = at_;
        while (at_ < end_ && *at_ >= '0' && *at_ <= '9') ++at_;
        if (at_ == begin || static_cast<size_t>(at_ - begin) > kMostDigits) throw Odd();
    }

    void number() {
        if (at_ < end_ && *at_ == '-') ++at_;
        if (at_ < end_ && *at_ == '0') {
            ++at_;
        } else {
            digits();
        }
        if (at_ < end_ && *at_ == '.') {
            ++at_;
            digits();
        }
        if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
            ++at_;
            if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
            digits();
        }
    }

    const char* at_;
    const char* const end_;
};

bool is_utf8(std::string_view bytes) {
    const auto runs = utf8_runs(bytes);
    return runs.empty() || runs[0] == bytes.size();
}

/// Reads the object; whether the field's value is a text. The last of equal keys counts, as in Python.
bool read_object(Reader& reader, std::string_view field, std::string& out, size_t before) {
    bool found = false, is_text = false;
    reader.expect('{');
    if (reader.accept('}')) throw Odd();
    do {
        const std::string_view key = reader.plain_string();
        reader.expect(':');
        if (key != field) {
            reader.skip_value(1);
            continue;
        }
        out.resize(before);
        found = true;
        is_text = reader.peek() == '"';
        if (is_text) {
            reader.string(&out);
        } else {
            reader.literal("null");
        }
    } while (reader.accept(','));
    reader.expect('}');
    reader.skip_blanks();
    if (!found || !reader.at_end()) throw Odd();
    return is_text;
}

}  // namespace

JsonLine append_json_text(std::string_view line, std::string_view field, std::string& out) {
    const size_t before = out.size();
    Reader reader(line);
    reader.skip_blanks();
    if (reader.at_end()) return JsonLine::nothing;
    try {
        if (!is_utf8(line)) throw Odd();
        const bool is_text = read_object(reader, field, out, before);
        return is_text && out.size() > before ? JsonLine::text : JsonLine::nothing;
    } catch (const Odd&) {
        out.resize(before);
        return JsonLine::odd;
    }
}

}  // namespace nlpkit
