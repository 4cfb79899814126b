"""Any regex splits as in tiktoken: random small patterns, and texts of characters that both know."""

import itertools

import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.patterns import named_scheme, split

CHARACTERS = "aBbsſ1²_ \n\t\r'!.中ǅé\u0301\u00a0"
ANY = r"(?s:.)"  # the last alternative of every pattern, so that it covers every text

literals = st.sampled_from(["a", "b", "B", "s", "1", " ", "'", "!", r"\n", r"\.", "中", "é"])
members = st.sampled_from(
    [*"aB1_' ", r"\n", r"\r", "a-s", r"\p{L}", r"\p{Lu}", r"\p{Ll}", r"\p{N}", r"\p{M}", r"\s", r"\w"]
)
classes = st.builds(
    lambda negated, chosen: f"[{'^' if negated else ''}{''.join(chosen)}]",
    st.booleans(),
    st.lists(members, min_size=1, max_size=3),
)
properties = st.sampled_from(
    [r"\p{L}", r"\P{L}", r"\p{Lu}", r"\p{N}", r"\s", r"\S", r"\w", r"\W", r"\d", "."]
)
atoms = st.one_of(literals, classes, properties)
groups = st.one_of(
    atoms,
    st.builds(lambda a, b: f"(?:{a}|{b})", atoms, atoms),
    st.builds(lambda a, b: f"(?i:{a}{b})", literals, literals),
    st.builds(lambda a, b: f"(?>{a}|{a}{b})", atoms, atoms),
)
least_one = st.sampled_from(["", "+", "++", "+?", "{1,2}", "{2}", "{1,3}+", "{2,}"])
optional = st.sampled_from(["?", "*", "?+", "*+", "*?", "{0,2}"])
nothing = st.just("")
before = st.one_of(nothing, st.builds("(?<={})".format, literals), st.builds("(?<!{})".format, literals))
ahead = st.one_of(st.builds("(?={})".format, atoms), st.builds("(?!{})".format, atoms))
behind = st.one_of(nothing, st.just("$"), st.just(r"(?!\S)"), ahead)
alternatives = st.builds(
    "{}{}{}{}{}{}{}".format,
    before,
    *(groups, optional, groups, least_one),  # the second takes a character at least
    st.one_of(nothing, st.builds("{}{}".format, groups, optional)),
    behind,
)
regexes = st.lists(alternatives, min_size=1, max_size=3).map(lambda parts: "|".join([*parts, ANY]))
texts = st.text(alphabet=CHARACTERS, max_size=12)


@settings(max_examples=150, deadline=None)
@given(pat_str=regexes, text=texts)
def test_random_patterns_split_as_in_tiktoken(pat_str: str, text: str) -> None:
    data = text.encode()
    ranks = {bytes([byte]): byte for byte in range(256)}
    for start, end in itertools.combinations(range(len(data) + 1), 2):
        ranks.setdefault(data[start:end], len(ranks))  # every substring, so that each piece is one id
    encoding = tiktoken.Encoding("any", pat_str=pat_str, mergeable_ranks=ranks, special_tokens={})
    expected = encoding.encode_ordinary(text)
    assert split(text, pat_str) == [encoding.decode_single_token_bytes(token).decode() for token in expected]
    assert named_scheme(pat_str) is None
    tokenizer = Tokenizer("any", pat_str=pat_str, mergeable_ranks=ranks, special_tokens={})
    assert tokenizer.encode_ordinary(text) == expected
