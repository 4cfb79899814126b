// Drives a fuzz target where the compiler brings no libFuzzer: seeded random inputs, each run reproducible.
//
//   fuzz_tokenization [seconds = 60] [seed = 1]
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

/// Bytes in runs and repeats: text is seldom uniform, and repeats are what merges are learnt from.
std::vector<uint8_t> make_input(std::mt19937_64& random) {
    const auto below = [&](uint64_t bound) { return random() % bound; };
    std::vector<uint8_t> input{static_cast<uint8_t>(below(256)), static_cast<uint8_t>(below(256))};
    const size_t length = size_t{1} << below(10);
    while (input.size() < length + 2) {
        const size_t here = input.size() - 2;
        const size_t run = 1 + below(12);
        if (here > 0 && below(3) == 0) {  // repeat something from before
            const size_t from = 2 + below(here);
            for (size_t i = 0; i < run && from + i < input.size(); ++i) input.push_back(input[from + i]);
        } else {
            const auto byte = static_cast<uint8_t>(below(256));
            for (size_t i = 0; i < (below(4) == 0 ? run : 1); ++i) input.push_back(byte);
        }
    }
    return input;
}

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 60;
    std::mt19937_64 random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
    const auto elapsed = [start = std::chrono::steady_clock::now()] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    uint64_t inputs = 0;
    for (; elapsed() < seconds; ++inputs) {
        const std::vector<uint8_t> input = make_input(random);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%llu inputs, nothing found\n", static_cast<unsigned long long>(inputs));
    return 0;
}
