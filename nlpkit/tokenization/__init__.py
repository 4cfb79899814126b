"""Vocabularies: training, encoding and decoding, files, and corpora turned to shards."""

from nlpkit.tokenization.encoding import EncodeSummary, SplitSummary, encode_corpus
from nlpkit.tokenization.loading import load_vocabulary
from nlpkit.tokenization.tokenizer import Tokenizer
from nlpkit.tokenization.vocabulary import RaggedIds, Vocabulary
from nlpkit.tokenization.word_vocabulary import WordVocabulary

__all__ = [
    "EncodeSummary",
    "RaggedIds",
    "SplitSummary",
    "Tokenizer",
    "Vocabulary",
    "WordVocabulary",
    "encode_corpus",
    "load_vocabulary",
]
