"""Classifying short passages: BPE counts and averaged word vectors beside scikit-learn's TF-IDF.

    NLPKIT_DATA=... python benchmarks/classify.py [--seed 1]

- novels: which of 20 English novels (ELTeC) 50 words come from; later chapters than those learnt from.
- chinese: which of 6 collections 40 characters come from, with no segmenter.

Each is learnt from 10 and from 100 passages a class; 50 a class are judged. Tokenizers and word vectors are
trained on the text before the cut of all classes, without labels. Every model ends in the same logistic
regression, whose C is chosen by `GridSearchCV` among the passages learnt from.
"""

import argparse
import gzip
import json
import os
import random
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from nlpkit.embeddings import train_word2vec
from nlpkit.embeddings.transformers import BpeVectorizer, DocumentEmbedder
from nlpkit.text import Document
from nlpkit.tokenization import Tokenizer, encode_corpus

JUDGED = 50  # passages a class
CHINESE = (
    "NiuTrans-classical",
    "NiuTrans-modern",
    "OI-wiki",
    "PaddlePaddle-docs",
    "d2l-zh",
    "debian-handbook",
)

Split = tuple[list[str], dict[str, list[str]], dict[str, list[str]]]
"""Text to train tokenizers and vectors on; passages to learn from and to judge, by class."""


def documents(name: str) -> list[dict[str, str]]:
    path = Path(os.environ["NLPKIT_DATA"]) / "text" / "dev" / f"{name}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def passages(units: list[str], length: int, joiner: str, most: int, chance: random.Random) -> list[str]:
    starts = list(range(0, len(units) - length, length))
    chance.shuffle(starts)
    return [joiner.join(units[start : start + length]) for start in sorted(starts[:most])]


def novels(chance: random.Random) -> Split:
    chunks = defaultdict(list)
    for document in documents("english-large"):
        if document["source"] == "ELTeC-eng":
            chunks[document["id"].split("#")[0]].append(document["text"])
    largest = sorted(chunks, key=lambda novel: -len(chunks[novel]))[:20]
    learnt, judged, text = {}, {}, []
    for novel in largest:
        cut = len(chunks[novel]) * 6 // 10
        text += chunks[novel][:cut]
        words = [" ".join(part).split() for part in (chunks[novel][:cut], chunks[novel][cut:])]
        learnt[novel] = passages(words[0], 50, " ", 100, chance)
        judged[novel] = passages(words[1], 50, " ", JUDGED, chance)
    return text, learnt, judged


def chinese(chance: random.Random) -> Split:
    texts = defaultdict(list)
    for document in documents("chinese"):
        if document["source"] in CHINESE:
            texts[document["source"]].append("".join(document["text"].split()))
    learnt, judged, text = {}, {}, []
    for source, parts in texts.items():
        cut = len(parts) * 6 // 10
        text += parts[:cut]
        learnt[source] = passages(list("".join(parts[:cut])), 40, "", 100, chance)
        judged[source] = passages(list("".join(parts[cut:])), 40, "", JUDGED, chance)
    return text, learnt, judged


def models(task: str, text: list[str], scratch: Path) -> dict[str, Any]:
    """Untrained pipelines but for the tokenizer and the vectors."""
    tokenizer = Tokenizer.train(text, vocab_size=8192)
    encode_corpus([Document(part, "text") for part in text], tokenizer, scratch / "shards", validation=0)
    train_word2vec(scratch / "shards", scratch / "vectors", epochs=10, sample=1e-4)

    def embedder(weighting: str) -> Any:
        return DocumentEmbedder(scratch / "vectors", tokenizer=tokenizer, weighting=weighting)

    units = {"novels": {}, "chinese": {"analyzer": "char", "ngram_range": (1, 2)}}[task]
    counts = make_pipeline(BpeVectorizer(tokenizer), TfidfTransformer(sublinear_tf=True))
    return {
        f"scikit-learn TF-IDF of {'words' if task == 'novels' else 'one and two characters'}": make_pipeline(
            TfidfVectorizer(sublinear_tf=True, **units)
        ),
        "BpeVectorizer, TF-IDF": counts,
        "DocumentEmbedder, mean": make_pipeline(embedder("mean"), StandardScaler()),
        "DocumentEmbedder, SIF": make_pipeline(embedder("sif"), StandardScaler()),
        "BpeVectorizer and DocumentEmbedder": make_union(
            counts, make_pipeline(embedder("sif"), StandardScaler())
        ),
    }


def judge(features: Any, learnt: dict[str, list[str]], judged: dict[str, list[str]], few: int) -> float:
    texts = [passage for part in learnt.values() for passage in part[:: max(1, len(part) // few)][:few]]
    labels = [name for name, part in learnt.items() for _ in part[:: max(1, len(part) // few)][:few]]
    search = GridSearchCV(
        make_pipeline(features, LogisticRegression(max_iter=300)),
        {"logisticregression__C": [0.01, 1, 100]},
        cv=3,
    ).fit(texts, labels)
    wanted = [name for name, part in judged.items() for _ in part]
    return float(search.score([passage for part in judged.values() for passage in part], wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    warnings.simplefilter("ignore", ConvergenceWarning)
    for task, load in (("novels", novels), ("chinese", chinese)):
        text, learnt, judged = load(random.Random(seed))
        print(f"\n{task}: {len(judged)} classes, {sum(map(len, judged.values()))} passages judged")
        with tempfile.TemporaryDirectory() as scratch:
            for name, features in models(task, text, Path(scratch)).items():
                started = time.process_time()
                few, many = (judge(features, learnt, judged, count) for count in (10, 100))
                seconds = time.process_time() - started
                print(
                    f"  {name:48} 10: {100 * few:5.1f} %  100: {100 * many:5.1f} %  ({seconds:.0f} CPU s)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
