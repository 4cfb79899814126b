"""Text to words to ids: a vocabulary counted, then shards written, beside gensim's vocabulary pass.

The words of `word2vec.py`, in memory as documents for nlpkit and in a file of lines for gensim's fastest way,
`build_vocab(corpus_file=)`, which counts only. One thread each, CPU time, the best of several rounds.

    python benchmarks/words.py --words 5000000
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from word2vec import documents


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if "NLPKIT_DATA" not in os.environ:
        raise SystemExit("set NLPKIT_DATA to the folder of the benchmarks' data")
    from gensim.models import Word2Vec

    from nlpkit.text import Document
    from nlpkit.tokenization import WordVocabulary, encode_corpus

    texts = list(documents(options.words))
    corpus = [Document(text, str(i)) for i, text in enumerate(texts)]
    best = dict.fromkeys(("count", "encode", "gensim"), float("inf"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lines.txt").write_text("\n".join(texts) + "\n")
        vocabulary = WordVocabulary.train(texts, threads=1)
        parts: dict[str, Callable[[], object]] = {
            "count": lambda: WordVocabulary.train(texts, threads=1),
            "encode": lambda: encode_corpus(corpus, vocabulary, folder / "shards", validation=0, threads=1),
            "gensim": lambda: Word2Vec(workers=1).build_vocab(corpus_file=str(folder / "lines.txt")),
        }
        for _ in range(options.rounds):
            for part, work in parts.items():
                best[part] = min(best[part], seconds(work))
    best["both"] = best["count"] + best["encode"]
    print("| part | Mw per CPU s |\n|---|--:|")
    for part in ("count", "encode", "both", "gensim"):
        print(f"| {part} | {options.words / best[part] / 1e6:.1f} |")


if __name__ == "__main__":
    main()
