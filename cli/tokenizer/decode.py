"""`nlpkit tokenizer decode`: ids to text."""

import re
import sys

from .common import Vocabulary


def decode(vocabulary: Vocabulary) -> None:
    """Turn ids on stdin, between white space or commas, into text on stdout."""
    from nlpkit.errors import NlpkitError
    from nlpkit.tokenization import load_vocabulary

    from ..standard_input import read_lines

    loaded = load_vocabulary(vocabulary)
    for number, line in enumerate(read_lines(), start=1):
        try:
            text = loaded.decode([int(word) for word in re.findall(r"[^\s,\[\]]+", line)])
        except KeyError as error:
            raise NlpkitError(
                f"line {number} of standard input has an id that {vocabulary} does not know "
                f"({error.args[0]}): use the vocabulary that made the ids."
            ) from error
        except (ValueError, OverflowError) as error:
            raise NlpkitError(
                f"line {number} of standard input is not a line of token ids ({error})."
            ) from error
        sys.stdout.write(text)
