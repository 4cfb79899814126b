"""Tokens that a corpus never gives."""

from collections.abc import Iterable, Mapping

import numpy as np

from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text.batches import gather
from nlpkit.tokenization.doctor.findings import Finding, listed
from nlpkit.tokenization.tokenizer import Tokenizer


def find_absent(
    tokenizer: Tokenizer,
    ranks: Mapping[bytes, int],
    corpus: Iterable[str],
    progress: ProgressCallback = no_progress,
) -> list[Finding]:
    """The tokens of several bytes that a corpus never gives; nothing without a corpus."""
    counts = np.zeros(tokenizer.n_vocab, dtype=np.int64)
    characters = 0
    for batch in gather(corpus, len):
        characters += sum(map(len, batch))
        counts += np.bincount(tokenizer.encode_documents(batch).ids, minlength=len(counts))
        progress("corpus", characters, 0)
    absent = sorted(rank for token, rank in ranks.items() if len(token) > 1 and counts[rank] == 0)
    if not characters or not absent:
        return []
    names = {rank: token for token, rank in ranks.items()}
    sentence = f"{listed(absent, names)}: the corpus never gives them; candidates for glitch tokens."
    return [Finding("absent tokens", False, sentence, absent)]
