"""BPE-dropout: the same text in other tokens each time, to train language models on.

Every merge that is possible at a step is left out with a probability, independently; the best of the others
is made, and when all are left out, merging ends (Provilkov, Emelianenko and Voita 2020, arXiv:1910.13267,
algorithm 1; they use 0.1). 0 gives the ordinary ids, 1 single bytes. What comes out of a text follows from
the seed, its number among the documents and nothing else: not from threads, batches or its neighbours.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlpkit._core import BpeEncoder, SpecialMatcher
from nlpkit.errors import UsageError
from nlpkit.tokenization import patterns
from nlpkit.tokenization.bpe.special_tokens import repair_surrogates
from nlpkit.tokenization.ragged import RaggedIds, Texts


@dataclass(frozen=True, slots=True)
class Dropout:
    """How likely a merge is left out, and where the random numbers come from.

    Args:
        probability: of each merge; from 0 to 1.
        seed: 0 to 2^64 - 1.
        first_document: the number that the first of the texts has among all that are encoded with the seed.

    Raises:
        UsageError: `probability` is no probability, or `seed` is negative or too large.
    """

    probability: float
    seed: int = 0
    first_document: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UsageError(f"dropout {self.probability} is no probability: use 0 (none) to 1, such as 0.1.")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"seed {self.seed} is not from 0 to 2^64 - 1.")

    def encode(
        self,
        core: BpeEncoder,
        texts: Texts,
        specials: SpecialMatcher | None = None,
        *,
        after: int | None = None,
        threads: int = 0,
    ) -> RaggedIds:
        """Encode documents whose pattern has a scanner."""
        return RaggedIds(
            *core.encode_with_dropout(
                texts, self.probability, self.seed, self.first_document, specials, after, threads
            )
        )

    def encode_with_regex(
        self, core: BpeEncoder, text: str, index: int, specials: SpecialMatcher | None, pat_str: str
    ) -> npt.NDArray[np.uint32]:
        """Encode text `index` where the `regex` module splits; gives what a scanner would."""
        text = repair_surrogates(text)
        document = self.first_document + index
        ids = []
        offset = 0  # in bytes of ordinary text
        for part in [text] if specials is None else specials.split(text):
            if isinstance(part, int):
                ids.append(np.array([part], dtype=np.uint32))
            else:
                pieces = patterns.split(part, pat_str)
                ids.append(
                    core.encode_pieces_with_dropout(pieces, offset, self.probability, self.seed, document)
                )
                offset += len(part.encode("utf-8"))
        return np.concatenate(ids) if ids else np.empty(0, dtype=np.uint32)
