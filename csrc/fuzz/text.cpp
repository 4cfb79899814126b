// Fuzz target: lines of JSON and of text, as they should be and with damage.
//
//   whole      a string comes back from the object that it was written into, escaped one way or the other
//   damaged    whatever the bytes are, what is read of them is valid UTF-8, and no document is empty
#include "fuzz/fuzz.hpp"
#include "support/utf8_runs.hpp"
#include "text/text_batch.hpp"

namespace {

using namespace nlpkit;

bool is_utf8(std::string_view bytes) { return bytes.empty() || utf8_runs(bytes).size() == 1; }

/// Valid UTF-8 from any bytes: those that are not in a valid run are left out.
std::string choose_text(Choices& choices) {
    const std::string bytes = choices.bytes(choices.below(60));
    std::string text;
    size_t begin = 0;
    const auto ends = utf8_runs(bytes);
    for (size_t run = 0; run < ends.size(); ++run) {
        if (run % 2 == 0) text += bytes.substr(begin, ends[run] - begin);
        begin = ends[run];
    }
    return text;
}

/// A JSON string; what need not be escaped is, now and then.
std::string quoted(const std::string& text, Choices& choices) {
    std::string json = "\"";
    for (const char character : text) {
        const auto byte = static_cast<uint8_t>(character);
        const bool must = byte < 0x20 || byte == '"' || byte == '\\';
        if (!must && (byte >= 0x80 || choices.byte() % 8 != 0)) {
            json += character;
        } else if (const size_t short_form = std::string_view("\"\\/\b\f\n\r\t").find(character);
                   short_form != std::string_view::npos && choices.byte() % 2 == 0) {
            json += '\\';
            json += "\"\\/bfnrt"[short_form];
        } else {
            char escape[7];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
            json += escape;
        }
    }
    return json + '"';
}

std::string other_field(Choices& choices) {
    constexpr const char* kFields[] = {R"("a": 1.5e-3)", R"("b":[true,null,{"text":"no"}])", R"("text2": "no")",
                                       R"("" : {})", R"("c":"\ud83d\ude00\\")"};
    return kFields[choices.below(std::size(kFields))];
}

void check_documents(const TextBatch& batch) {
    for (size_t i = 0; i < batch.size(); ++i) {
        if (batch[i].empty()) fail("a document is empty");
        if (!is_utf8(batch[i])) fail("a document is not valid UTF-8");
    }
}

void check_lines(std::string_view given) {
    const std::vector<char> exact(given.begin(), given.end());  // no byte behind it may be read
    const std::string_view block(exact.data(), exact.size());
    TextBatch batch;
    for (size_t begin = 0; begin < block.size();) {
        const size_t next = batch.append_lines(block, begin, SIZE_MAX);
        if (next < begin || next > block.size()) fail("a line ends before it begins, or behind the block");
        const size_t newline = block.find('\n', next);  // a line that is odd is left out
        begin = next == block.size() || newline == std::string_view::npos ? block.size() : newline + 1;
    }
    check_documents(batch);
}

void check_jsonl(std::string_view given) {
    const std::vector<char> exact(given.begin(), given.end());
    const std::string_view block(exact.data(), exact.size());
    TextBatch batch;
    for (size_t begin = 0; begin < block.size();) {
        const size_t next = batch.append_jsonl(block, begin, "text", 100);
        if (next < begin || next > block.size()) fail("a line ends before it begins, or behind the block");
        if (next > begin) {
            begin = next;
            continue;
        }
        const size_t newline = block.find('\n', next);
        begin = newline == std::string_view::npos ? block.size() : newline + 1;
    }
    check_documents(batch);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    check_lines({reinterpret_cast<const char*>(data), size});
    Choices choices(data, size);
    std::string block;
    while (choices.left() > 0 && block.size() < 2000) {
        const std::string text = choose_text(choices);
        std::string line = choices.byte() % 2 == 0 ? "{" : " { " + other_field(choices) + ", ";
        line += "\"text\" : " + quoted(text, choices);
        line += choices.byte() % 2 == 0 ? "}" : ", " + other_field(choices) + "}\r";
        TextBatch batch;
        if (batch.append_jsonl(line, 0, "text", SIZE_MAX) != line.size()) fail("a plain line of JSON is not read");
        if (batch.size() != (text.empty() ? 0 : 1) || (!text.empty() && batch[0] != text)) {
            fail("another text is read than was written");
        }
        block += line + '\n';
    }
    check_jsonl(block);
    for (size_t i = 0; i + 1 < size && !block.empty(); i += 64) {  // some damage
        block[(data[i] | size_t{data[i + 1]} << 8) % block.size()] = "\"\\{}[],:u\n0e\xf0\x80\t "[data[i] % 16];
    }
    check_jsonl(block);
    check_lines(block);
    return 0;
}
