"""Vocabularies: training, encoding and decoding, files, and corpora turned to shards."""

from nlpkit.tokenization.counting import TokenCount, count_corpus
from nlpkit.tokenization.encoding import EncodeSummary, SplitSummary, encode_corpus
from nlpkit.tokenization.loading import load_vocabulary
from nlpkit.tokenization.tokenizer import Tokenizer
from nlpkit.tokenization.vocabulary import RaggedIds, Vocabulary
from nlpkit.tokenization.word_vocabulary import WordVocabulary

__all__ = [
    "EncodeSummary",
    "RaggedIds",
    "SplitSummary",
    "TokenCount",
    "Tokenizer",
    "Vocabulary",
    "WordVocabulary",
    "count_corpus",
    "encode_corpus",
    "load_vocabulary",
]
