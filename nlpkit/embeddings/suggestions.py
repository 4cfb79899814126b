"""Words that may have been meant by one that has no vector."""

import difflib
from itertools import islice

from nlpkit.embeddings.token_table import TokenTable, key_to_token, token_to_key

AMONG = 20_000
"""How many of the most frequent words are compared by spelling."""

LONGEST = 32
"""Characters; a longer word takes seconds to compare and is no misspelt one."""


def suggestion(tokens: TokenTable, key: str) -> str:
    """`: did you mean …?` with up to three words of the table, or a full stop.

    Another case first, then with a BPE's leading space, then alike in spelling.
    """
    spellings = (key, key.strip(), key.lower(), key.capitalize())
    variants = dict.fromkeys([*spellings, *(f" {spelling}" for spelling in spellings)])
    words = [variant for variant in variants if tokens.row(key_to_token(variant)) is not None]
    if len(key) <= LONGEST:
        frequent = map(token_to_key, islice(tokens, AMONG))
        words += difflib.get_close_matches(key, frequent, n=3, cutoff=0.75)
    found = [repr(word) for word in dict.fromkeys(words)][:3]
    return f": did you mean {' or '.join(found)}?" if found else "."
