"""A vocabulary for people who have tiktoken and not nlpkit: the rank file and a plugin that says the rest.

With the folder that holds `tiktoken_ext` on PYTHONPATH, `tiktoken.get_encoding(NAME)` finds the vocabulary.
"""

import hashlib
import re
from pathlib import Path

from nlpkit._core import BpeVocabulary
from nlpkit.errors import NlpkitError
from nlpkit.files import atomic_file, write_text
from nlpkit.tokenization.formats.agreement import Agreement, Check
from nlpkit.tokenization.formats.definition import BpeDefinition

PLUGIN_FOLDER = "tiktoken_ext"

_PLUGIN = '''"""A vocabulary that tiktoken.get_encoding finds when the folder above is on PYTHONPATH."""

from pathlib import Path

from tiktoken.load import load_tiktoken_bpe


def construct():
    """The arguments of tiktoken.Encoding."""
    return {{
        "name": {name!r},
        "pat_str": {pat_str!r},
        "mergeable_ranks": load_tiktoken_bpe(
            str(Path(__file__).with_name({ranks!r})),
            expected_hash={sha256!r},
        ),
        "special_tokens": {special_tokens!r},
    }}


ENCODING_CONSTRUCTORS = {{{name!r}: construct}}
'''


def write_tiktoken(definition: BpeDefinition, folder: Path, check: Check | None = None) -> Agreement | None:
    """Write `tiktoken_ext/NAME.tiktoken` and the plugin `tiktoken_ext/NAME.py` into `folder`.

    Args:
        definition: the vocabulary.
        folder: where to write; other files in it stay.
        check: where it is given, both sides encode the same texts before anything is written.

    Raises:
        NlpkitError: tiktoken cannot compile the split pattern, or the two sides differ.
    """
    agreement = None
    if check is not None:
        agreement = compare_with_tiktoken(definition, check, f"the export to {folder}")
    stem = re.sub(r"\W", "_", definition.name)
    if not stem.isidentifier():
        stem = f"_{stem}"
    content = BpeVocabulary(dict(definition.mergeable_ranks)).tiktoken()
    plugin = _PLUGIN.format(
        name=definition.name,
        pat_str=definition.pat_str,
        ranks=f"{stem}.tiktoken",
        sha256=hashlib.sha256(content).hexdigest(),
        special_tokens=dict(definition.special_tokens),
    )
    with atomic_file(folder / PLUGIN_FOLDER / f"{stem}.tiktoken") as temporary:
        temporary.write_bytes(content)
    write_text(folder / PLUGIN_FOLDER / f"{stem}.py", plugin)
    return agreement


def compare_with_tiktoken(definition: BpeDefinition, check: Check, what: str) -> Agreement:
    """Encode the same texts here and with tiktoken.

    Raises:
        NlpkitError: tiktoken cannot compile the split pattern, or the ids of some text differ.
    """
    import tiktoken

    try:
        theirs = tiktoken.Encoding(**definition.arguments())
    except ValueError as error:
        raise NlpkitError(
            f"tiktoken cannot use the split pattern of {definition.name!r}: {error}."
        ) from error

    def encode_there(text: str) -> list[int]:
        return theirs.encode(text, allowed_special="all")

    peer = f"tiktoken {tiktoken.__version__}"
    return check.require(definition, encode_there, peer=peer, what=what)
