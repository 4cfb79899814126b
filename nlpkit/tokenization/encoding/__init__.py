"""Corpora to token shards: `corpus` is the way there; `reading` reads ahead, `documents` makes documents ids,
`splits` chooses the validation text, `journal` lets work go on where it stopped."""

from nlpkit.tokenization.encoding.corpus import EncodeSummary, SplitSummary, encode_corpus
from nlpkit.tokenization.encoding.reading import utf8_size

__all__ = ["EncodeSummary", "SplitSummary", "encode_corpus", "utf8_size"]
