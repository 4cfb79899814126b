#include "bpe_vocabulary/vocabulary_image.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/checksum.hpp"

namespace nlpkit {

namespace {

constexpr char kMagic[8] = {'n', 'l', 'p', 'k', 'i', 't', 'V', 'I'};
constexpr uint32_t kVersion = 1;

struct Header {
    char magic[8];
    Checksum checksum;  // of all that follows it
    uint32_t version;
    uint32_t hash;  // of the magic: the slots are of use only where bytes are hashed the same way
    uint32_t n_tokens;
    uint32_t n_splits;  // of all tokens, or none
    uint32_t n_slots;
    uint32_t n_crossing;
    uint32_t text_size;
    uint32_t zero;
};
constexpr size_t kUnchecked = offsetof(Header, version);
static_assert(sizeof(Header) == 56 && kUnchecked == 24 && sizeof(Split) == 8);

uint32_t hash_of_magic() { return static_cast<uint32_t>(hash_bytes(std::string_view(kMagic, sizeof kMagic))); }

template <typename T>
void append(std::string& image, const std::vector<T>& values) {
    image.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

/// The next numbers of an image, which stand where numbers of 32 bits may.
template <typename T>
std::vector<T> take(std::string_view& image, size_t count) {
    static_assert(alignof(T) == sizeof(uint32_t));
    const T* const values = reinterpret_cast<const T*>(image.data());
    image.remove_prefix(count * sizeof(T));
    return std::vector<T>(values, values + count);
}

}  // namespace

std::string to_image(const BpeVocabulary& vocabulary) {
    const RankTable& tokens = vocabulary.tokens();
    const BpeVocabulary::FoundOut known = vocabulary.found_out();
    const auto count = [](const auto& values) { return static_cast<uint32_t>(values.size()); };
    Header header{{}, {}, kVersion, hash_of_magic(), count(tokens.ranks()), count(known.splits), count(known.slots),
                  count(known.crossing), count(tokens.text()), 0};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    std::string image(sizeof header, '\0');
    append(image, tokens.offsets());
    append(image, tokens.ranks());
    append(image, known.splits);
    append(image, known.slots);
    append(image, known.crossing);
    image += tokens.text();
    std::memcpy(image.data(), &header, sizeof header);
    header.checksum = checksum_of(std::string_view(image).substr(kUnchecked));
    std::memcpy(image.data(), &header, sizeof header);
    return image;
}

std::optional<BpeVocabulary> from_image(std::string_view image) {
    Header header;
    if (image.size() < sizeof header) return std::nullopt;
    if (reinterpret_cast<uintptr_t>(image.data()) % sizeof(uint32_t) != 0) return from_image(std::string(image));
    std::memcpy(&header, image.data(), sizeof header);
    const std::string_view checked = image.substr(kUnchecked);
    image.remove_prefix(sizeof header);
    const size_t numbers = 1 + 2 * (size_t{header.n_tokens} + header.n_splits) + header.n_slots + header.n_crossing;
    const size_t size = numbers * sizeof(uint32_t) + header.text_size;
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kVersion ||
        header.hash != hash_of_magic() || image.size() != size || header.checksum != checksum_of(checked)) {
        return std::nullopt;
    }
    auto offsets = take<uint32_t>(image, size_t{header.n_tokens} + 1);
    auto ranks = take<uint32_t>(image, header.n_tokens);
    BpeVocabulary::FoundOut known{take<Split>(image, header.n_splits), take<uint32_t>(image, header.n_slots),
                                  take<TokenIndex>(image, header.n_crossing)};
    try {
        RankTable tokens(std::string(image), std::move(offsets), std::move(ranks));
        if (!known.fits(tokens)) return std::nullopt;
        return BpeVocabulary(std::move(tokens), std::move(known));
    } catch (const std::invalid_argument&) {
        return std::nullopt;  // tokens that are no vocabulary
    }
}

}  // namespace nlpkit
