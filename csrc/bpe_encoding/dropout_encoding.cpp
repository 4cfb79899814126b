#include "bpe_encoding/dropout_encoding.hpp"

#include <algorithm>
#include <stdexcept>

#include "bpe_merging/dropout.hpp"

namespace nlpkit {

namespace {

constexpr size_t kBlock = 64;  // pieces split at once
constexpr size_t kRun = 16;    // documents handed to a thread at once

/// One document on its way.
class Document {
   public:
    Document(const BpeVocabulary& vocabulary, const Dropout& dropout, uint64_t index, DropoutScratch& scratch,
             IdBuffer& out)
        : vocabulary_(vocabulary),
          probability_(dropout.probability),
          random_(CounterRandom{mix_bits(dropout.seed)}.child(dropout.first_document + index)),
          scratch_(scratch),
          out_(out) {}

    void encode_piece(std::string_view piece, size_t offset) {
        if (piece.size() >= UINT32_MAX) throw std::length_error("a piece of text is longer than 4 GiB");
        uint32_t* const to = out_.reserve(piece.size());
        out_.advance(
            vocabulary_.encode_piece_with_dropout(piece, probability_, random_.child(offset), scratch_, to));
    }

    void encode(Scheme scheme, std::string_view text, size_t offset, const Job& job) {
        size_t ends[kBlock];
        for (size_t begin = 0; begin < text.size();) {
            job.check();
            const size_t count = pretokenize(scheme, text, begin, ends, kBlock);
            for (size_t i = 0; i < count; begin = ends[i++]) {
                encode_piece(text.substr(begin, ends[i] - begin), offset + begin);
            }
        }
    }

   private:
    const BpeVocabulary& vocabulary_;
    double probability_;
    CounterRandom random_;
    DropoutScratch& scratch_;
    IdBuffer& out_;
};

}  // namespace

RaggedIds encode_with_dropout(const BpeEncoder& encoder, const std::vector<std::string_view>& texts,
                              const SpecialMatcher* specials, std::optional<uint32_t> after, const Dropout& dropout,
                              unsigned threads, Job& job) {
    const Scheme scheme = encoder.scheme();
    std::vector<IdBuffer> runs((texts.size() + kRun - 1) / kRun);
    RaggedIds result;
    result.offsets.assign(texts.size() + 1, 0);
    parallel_for(runs.size(), threads, [&](size_t run) {
        DropoutScratch scratch;
        IdBuffer& ids = runs[run];
        for (size_t i = run * kRun; i < std::min(texts.size(), (run + 1) * kRun); ++i) {
            const std::string_view text = texts[i];
            const size_t before = ids.size();
            Document document(encoder.vocabulary(), dropout, i, scratch, ids);
            if (specials == nullptr) {
                document.encode(scheme, text, 0, job);
            } else {
                size_t offset = 0;  // special tokens do not count
                specials->split(
                    text,
                    [&](std::string_view part) {
                        document.encode(scheme, part, offset, job);
                        offset += part.size();
                    },
                    [&](uint32_t id) { ids.push(id); });
            }
            if (after) ids.push(*after);
            result.offsets[i + 1] = ids.size() - before;
        }
    });
    for (IdBuffer& ids : runs) {
        result.ids.append(ids.data(), ids.size());
        ids = IdBuffer();
    }
    for (size_t i = 0; i < texts.size(); ++i) result.offsets[i + 1] += result.offsets[i];
    return result;
}

void encode_pieces_with_dropout(const BpeEncoder& encoder, const std::vector<std::string_view>& pieces,
                                size_t offset, const Dropout& dropout, IdBuffer& out, const Job& job) {
    DropoutScratch scratch;
    Document document(encoder.vocabulary(), dropout, 0, scratch, out);
    for (const std::string_view piece : pieces) {
        job.check();
        document.encode_piece(piece, offset);
        offset += piece.size();
    }
}

}  // namespace nlpkit
