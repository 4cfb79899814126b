"""Vocabularies: training, encoding and decoding, files, and corpora turned to shards."""

from nlpkit.tokenization.bpe.offsets import Offsets
from nlpkit.tokenization.bpe.special_tokens import Part
from nlpkit.tokenization.bpe.streaming import StreamDecoder
from nlpkit.tokenization.comparison import Comparison, compare_vocabularies
from nlpkit.tokenization.conversion import OpenedVocabulary, export_vocabulary, open_vocabulary
from nlpkit.tokenization.counting import TokenCount, count_corpus
from nlpkit.tokenization.encoding import EncodeSummary, SplitSummary, encode_corpus
from nlpkit.tokenization.known import get_encoding, list_encoding_names
from nlpkit.tokenization.loading import load_vocabulary
from nlpkit.tokenization.models import encoding_for_model, encoding_name_for_model
from nlpkit.tokenization.ragged import PaddedIds, RaggedIds
from nlpkit.tokenization.tokenizer import Tokenizer
from nlpkit.tokenization.training import LearntTokens, extend_tokens, learn_tokens, train_bpe
from nlpkit.tokenization.training.merge_limits import MergeLimits
from nlpkit.tokenization.training.pretoken_counts import PretokenCounts
from nlpkit.tokenization.training.text import TrainingText
from nlpkit.tokenization.training.vocabularies import (
    TrainingSummary,
    extend_vocabulary,
    pretokenize_text,
    train_vocabulary,
)
from nlpkit.tokenization.vocabulary import Vocabulary
from nlpkit.tokenization.word_vocabulary import WordVocabulary

__all__ = [
    "Comparison",
    "EncodeSummary",
    "LearntTokens",
    "MergeLimits",
    "Offsets",
    "OpenedVocabulary",
    "PaddedIds",
    "Part",
    "PretokenCounts",
    "RaggedIds",
    "SplitSummary",
    "StreamDecoder",
    "TokenCount",
    "Tokenizer",
    "TrainingSummary",
    "TrainingText",
    "Vocabulary",
    "WordVocabulary",
    "compare_vocabularies",
    "count_corpus",
    "encode_corpus",
    "encoding_for_model",
    "encoding_name_for_model",
    "export_vocabulary",
    "extend_tokens",
    "extend_vocabulary",
    "get_encoding",
    "learn_tokens",
    "list_encoding_names",
    "load_vocabulary",
    "open_vocabulary",
    "pretokenize_text",
    "train_bpe",
    "train_vocabulary",
]
