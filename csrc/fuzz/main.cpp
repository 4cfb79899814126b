// Drives a fuzz target where the compiler brings no libFuzzer: seeded random inputs, each reproducible by its
// number. Flags as libFuzzer's:
//
//   fuzz_TARGET -max_total_time=60 -seed=1 [-first=NUMBER]
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

/// Bytes in runs and repeats: text is seldom uniform, and repeats are what merges are learnt from.
std::vector<uint8_t> make_input(std::mt19937_64& random) {
    const auto below = [&](uint64_t bound) { return random() % bound; };
    std::vector<uint8_t> input{static_cast<uint8_t>(below(256)), static_cast<uint8_t>(below(256))};
    const size_t length = size_t{1} << below(11);
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

uint64_t seed = 1;
uint64_t number = 0;

/// The sanitizers and fail() end with SIGABRT (the former with abort_on_error=1).
void say_which_input(int) {
    std::fprintf(stderr, "fuzz: it was input %llu; to see it again: -seed=%llu -first=%llu\n",
                 static_cast<unsigned long long>(number), static_cast<unsigned long long>(seed),
                 static_cast<unsigned long long>(number));
}

/// Whether `argument` is this flag; then takes its number.
bool read_flag(std::string_view argument, std::string_view flag, uint64_t& value) {
    if (!argument.starts_with(flag)) return false;
    const char* const end = argument.data() + argument.size();
    return std::from_chars(argument.data() + flag.size(), end, value).ptr == end;
}

}  // namespace

int main(int argc, char** argv) {
    uint64_t seconds = 60, first = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (!read_flag(argument, "-max_total_time=", seconds) && !read_flag(argument, "-seed=", seed) &&
            !read_flag(argument, "-first=", first)) {
            std::fprintf(stderr, "fuzz: %s is none of -max_total_time=, -seed=, -first=\n", argv[i]);
            return 2;
        }
    }
    std::signal(SIGABRT, say_which_input);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    for (number = first; std::chrono::steady_clock::now() < end; ++number) {
        std::mt19937_64 random(seed << 40 ^ number);
        const std::vector<uint8_t> input = make_input(random);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%llu inputs, nothing found\n", static_cast<unsigned long long>(number - first));
    return 0;
}
