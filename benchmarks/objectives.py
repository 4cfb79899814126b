"""What the objectives and words made of pieces are worth: the same corpus, windows and epochs for all.

    NLPKIT_DATA=... python benchmarks/objectives.py [--words 1000000] [--only nce,composed]

The first so many lower-cased [a-z]+ words of English Wikipedia, a document an article; sample 1e-4,
100 dimensions, 3 epochs, one seed. Analogies in percent among the first 30,000 words; Spearman x 100 for the
pairs, each with the share of its pairs that are known. Seconds of CPU are of training and reading.
"""

import argparse
import gzip
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlpkit.embeddings import KeyedVectors, train_word2vec
from nlpkit.embeddings.sampled_training import train_sampled_vectors
from nlpkit.text import Document
from nlpkit.tokenization import Tokenizer, WordVocabulary, encode_corpus

PAIRS = ("WS-353-ALL", "SIMLEX-999", "MEN-TR-3k", "RW-STANFORD")
COMMON: dict[str, Any] = {"sample": 1e-4, "epochs": 3}
RUNS: dict[str, dict[str, Any]] = {
    "compiled": {},
    "negative-sampling": {"objective": "negative-sampling"},
    "nce": {"objective": "nce"},
    "sampled-softmax": {"objective": "sampled-softmax", "negative": 256},
    "infonce": {"objective": "infonce", "negative": 256},
    "composed": {"objective": "negative-sampling", "pieces": "pieces"},
}


def articles(words: int) -> Iterator[str]:
    path = Path(os.environ["NLPKIT_DATA"]) / "text" / "dev" / "wiki-en.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            found = re.findall("[a-z]+", json.loads(line)["text"].lower())[:words]
            words -= len(found)
            yield " ".join(found)
            if words <= 0:
                return


def figures(vectors: KeyedVectors) -> str:
    sets = Path(os.environ["NLPKIT_DATA"]) / "text" / "embed"
    right, _ = vectors.evaluate_word_analogies(sets / "google" / "questions-words.txt", restrict_vocab=30_000)
    shown = [f"{100 * right:5.1f}"]
    for name in PAIRS:
        _, (spearman, _), unknown = vectors.evaluate_word_pairs(sets / "word-sim" / f"EN-{name}.tsv")
        shown.append(f"{100 * spearman:5.1f} ({100 - unknown:.0f} %)")
    return "  ".join(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--only", help="of the runs, separated by commas")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else list(RUNS)
    texts = list(articles(options.words))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        vocabulary = WordVocabulary.train(texts, min_count=5)
        documents = [Document(text, "wiki-en") for text in texts]
        encode_corpus(documents, vocabulary, scratch / "shards", validation=0)
        Tokenizer.train(texts, vocab_size=8000).save(scratch / "pieces")
        print(f"{'':18} CPU s  analogies  " + "  ".join(PAIRS))
        for name in chosen:
            extra = {key: scratch / value if key == "pieces" else value for key, value in RUNS[name].items()}
            train = train_sampled_vectors if extra else train_word2vec
            started = time.process_time()
            vectors = train(scratch / "shards", scratch / name, **COMMON, **extra)
            print(f"{name:18} {time.process_time() - started:5.0f}  {figures(vectors)}", flush=True)


if __name__ == "__main__":
    main()
