"""Learning a byte-pair vocabulary: text is counted by pre-tokens, then the most frequent pairs are merged.

`learning` holds the algorithm's surface, `pretoken_counts` the counts it works on (`counts_files` and
`sorted_runs` keep them on disk and within bounds of memory), `text` chooses the text, `vocabularies` goes
from text to a vocabulary folder.
"""

from nlpkit.tokenization.training.learning import (
    LearntTokens,
    check_vocab_size,
    extend_tokens,
    learn_tokens,
    train_bpe,
)
from nlpkit.tokenization.training.merge_limits import MergeLimits
from nlpkit.tokenization.training.pretoken_counts import PretokenCounts

__all__ = [
    "LearntTokens",
    "MergeLimits",
    "PretokenCounts",
    "check_vocab_size",
    "extend_tokens",
    "learn_tokens",
    "train_bpe",
]
