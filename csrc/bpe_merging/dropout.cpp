#include "bpe_merging/dropout.hpp"

#include <cstdint>

namespace nlpkit {

size_t merge_with_dropout(const PairTable& pairs, const ByteTokens& byte_tokens, std::string_view piece,
                          double probability, CounterRandom random, DropoutScratch& scratch, TokenIndex* out) {
    LinkedPiece& linked = scratch.piece;
    linked.start(pairs, byte_tokens, piece);
    const bool drops_all = probability >= 1;
    const auto bound = drops_all ? 0 : static_cast<uint64_t>(probability * 0x1p64);
    uint64_t draws = 0;
    for (bool merges = !drops_all; merges;) {
        merges = false;
        scratch.dropped.clear();
        while (const auto merge = merges ? std::nullopt : linked.take_first()) {
            if (random(draws++) < bound) {
                scratch.dropped.push_back(*merge);
            } else {
                linked.make(*merge);
                merges = true;
            }
        }
        for (const LinkedPiece::Merge merge : scratch.dropped) linked.put_back(merge);
    }
    return linked.write(out);
}

}  // namespace nlpkit
