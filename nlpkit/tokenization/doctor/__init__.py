"""Examining a byte-level BPE vocabulary: what is wrong with it, and what is worth knowing.

Wrong is what makes it unusable, or ids that no text can give:

- a damaged line, a token or a rank that comes twice, a byte without a token;
- a special token whose id is a rank too (it would decode to something else), or whose text is empty;
- an *impossible* token: its bytes stand in no valid UTF-8 (`encode_bytes` and single bytes aside);
- a *cut* token: the split pattern cuts its text wherever it stands, and merges never cross pieces. Many of
  them say that the vocabulary was trained with another pattern; the known pattern that cuts fewest is named;
- an *inconsistent* token: merging its bytes does not end in it, so it is given only to pieces that equal it.
  Training never makes one, whatever its limits (docs/bpe-training.md says why); joining vocabularies does.

Worth knowing: gaps in the ranks (legal; p50k has one), tokens that are parts of characters, special tokens
that begin others or are spelled like ordinary tokens, a known pattern that is finer than the vocabulary's own
and cuts no token (the vocabulary may have been trained with that one), and, given a corpus, the tokens that
do not occur in it: glitch tokens are among these.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.tokenization import vocabulary_files
from nlpkit.tokenization.doctor.absent import find_absent
from nlpkit.tokenization.doctor.findings import Finding
from nlpkit.tokenization.doctor.table import check_table, parse_lines
from nlpkit.tokenization.doctor.tokens import check_tokens
from nlpkit.tokenization.patterns import pattern_string
from nlpkit.tokenization.tokenizer import Tokenizer

__all__ = ["Finding", "examine_vocabulary"]


def examine_vocabulary(
    path: Path,
    *,
    pattern: str | None = None,
    corpus: Iterable[str] = (),
    progress: ProgressCallback = no_progress,
) -> list[Finding]:
    """Examine a vocabulary folder, or a `.tiktoken` file and the pattern that it is used with.

    Args:
        path: the folder or file.
        pattern: a name or regex to use instead of the folder's own; needed for a file.
        corpus: texts whose tokens are counted; without any, absent tokens are not sought.
        progress: called with the phases "tokens" and "corpus".

    Raises:
        UsageError: nothing is at `path`, or the pattern is missing or not valid.
        CorruptFileError: `nlpkit.json` is damaged.
    """
    ranks_path, pat_str, special_tokens, expected = _describe(path, pattern)
    content = vocabulary_files.read_bytes(ranks_path)
    ranks = parse_lines(content, ranks_path)
    findings = []
    if expected is not None:
        try:
            vocabulary_files.check_sha256(ranks_path, expected, hashlib.sha256(content).hexdigest())
        except CorruptFileError as error:
            findings.append(Finding("checksum", True, str(error)))
    findings += check_table(ranks, special_tokens)
    if any(finding.wrong for finding in findings):
        return findings  # there is no one vocabulary to examine further
    table = dict(ranks.tokens)
    tokenizer = Tokenizer(path.name, pat_str=pat_str, mergeable_ranks=table, special_tokens=special_tokens)
    return findings + check_tokens(table, pat_str, progress) + find_absent(tokenizer, table, corpus, progress)


def _describe(path: Path, pattern: str | None) -> tuple[Path, str, dict[str, int], str | None]:
    """The rank file, split pattern, special tokens and, where known, the rank file's SHA-256."""
    if path.is_dir():
        description = vocabulary_files.read_bpe_description(path)
        pat_str = description.pat_str if pattern is None else pattern_string(pattern)
        ranks_path = path / vocabulary_files.RANKS_FILE
        return ranks_path, pat_str, description.special_tokens, description.ranks_sha256
    if not path.exists():
        raise UsageError(f"{path} does not exist: check the path.")
    if pattern is None:
        raise UsageError(f"{path} has ranks only: say with --pattern how it is used, such as cl100k.")
    return path, pattern_string(pattern), {}, None
