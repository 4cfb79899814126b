"""`load_vocabulary`: the vocabulary of a folder, whatever its kind."""

from pathlib import Path

from nlpkit.errors import CorruptFileError
from nlpkit.tokenization import vocabulary_files, word_vocabulary
from nlpkit.tokenization.tokenizer import Tokenizer
from nlpkit.tokenization.word_vocabulary import WordVocabulary


def load_vocabulary(folder: Path) -> Tokenizer | WordVocabulary:
    """The vocabulary that `Tokenizer.save` or `WordVocabulary.save` wrote to `folder`.

    Raises:
        UsageError: `folder` is no vocabulary folder.
        CorruptFileError: a file in it is damaged.
    """
    folder = Path(folder)
    kind = vocabulary_files.read_description(folder).get("kind")
    if kind == vocabulary_files.BPE:
        return Tokenizer.load(folder)
    if kind == word_vocabulary.KIND:
        return WordVocabulary.load(folder)
    raise CorruptFileError(
        f"{folder / vocabulary_files.DESCRIPTION_FILE} has a kind of vocabulary that this nlpkit does not "
        f"know, {kind!r}: use the nlpkit that wrote it."
    )
