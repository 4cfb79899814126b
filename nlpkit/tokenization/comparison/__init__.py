"""Vocabularies on the same texts: `measuring` encodes and counts, `passages` finds what costs most, `figures`
says what the sums mean, `page` draws them."""

from nlpkit.tokenization.comparison.figures import (
    Comparison,
    Passage,
    TextFigures,
    VocabularyFigures,
    renyi_efficiency,
)
from nlpkit.tokenization.comparison.measuring import compare_vocabularies
from nlpkit.tokenization.comparison.page import write_comparison_page

__all__ = [
    "Comparison",
    "Passage",
    "TextFigures",
    "VocabularyFigures",
    "compare_vocabularies",
    "renyi_efficiency",
    "write_comparison_page",
]
