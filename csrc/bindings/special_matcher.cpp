// nlpkit._core.SpecialMatcher: special tokens in text.
#include <string>
#include <utility>
#include <vector>

#include "bindings/python_values.hpp"
#include "bpe_encoding/special_matcher.hpp"

namespace nlpkit {

namespace {

std::vector<std::pair<std::string, uint32_t>> texts_of(nb::dict ids) {
    std::vector<std::pair<std::string, uint32_t>> texts;
    for (const auto [text, id] : ids) texts.emplace_back(Utf8(text).view, as_id(id));
    return texts;
}

nb::object find(const SpecialMatcher& matcher, nb::handle text) {
    const Utf8 bytes(text);
    const auto match = matcher.find(bytes.view, 0);
    if (!match) return nb::none();
    return nb::str(bytes.view.data() + match->begin, match->end - match->begin);
}

nb::list split(const SpecialMatcher& matcher, nb::handle text) {
    const Utf8 bytes(text);
    nb::list parts;
    matcher.split(
        bytes.view, [&](std::string_view part) { parts.append(nb::str(part.data(), part.size())); },
        [&](uint32_t id) { parts.append(nb::int_(id)); });
    return parts;
}

}  // namespace

void register_special_matcher(nb::module_& m) {
    nb::class_<SpecialMatcher>(m, "SpecialMatcher", "Finds special tokens in text: leftmost, then longest.")
        .def("__init__", [](SpecialMatcher* made, nb::dict ids) { new (made) SpecialMatcher(texts_of(ids)); },
             nb::arg("ids"), nb::sig("def __init__(self, ids: dict[str, int]) -> None"))
        .def("find", &find, nb::arg("text"), nb::sig("def find(self, text: str) -> str | None"),
             "The first special token in a text, or None.")
        .def("split", &split, nb::arg("text"), nb::sig("def split(self, text: str) -> list[str | int]"),
             "The parts of a text in order: ordinary text, and the ids of special tokens.");
}

}  // namespace nlpkit
