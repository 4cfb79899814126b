"""word2vec beside gensim: the same words, documents and hyper-parameters in one run.

Lower-cased [a-z]+ words of English Wikipedia, documents cut at 10,000 words (gensim drops the rest of
longer ones). Each training runs in a process of its own. Speeds are words of the text per second of CPU time,
which compares on a busy machine, and of wall time, for threads; the best of several runs. Only training
counts, neither side's vocabulary pass nor writing. Quality is the mean over seeds; it may lie below gensim's
by a point, or by two standard errors of the difference where that is more.

    python benchmarks/word2vec.py --words 1000000 --repeat 3
    python benchmarks/word2vec.py --words 1000000 --repeat 3 --threads 2 --only nlpkit
    python benchmarks/word2vec.py --words 5000000 --epochs 5 --sample 1e-4 --repeat 1 --seeds 3 --quality

`--log FILE` keeps each run's figures; runs that it holds already are not made again.
"""

import argparse
import gzip
import io
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, variance
from typing import Any

MOST_WORDS = 10_000
SETTINGS = ("words", "dim", "epochs", "sample", "threads")
TRAININGS: dict[str, dict[str, Any]] = {
    "nlpkit skip-gram, shared": {},
    "nlpkit skip-gram, shared, Hogwild": {"hogwild": True},
    "nlpkit skip-gram, exact": {"negatives": "exact"},
    "nlpkit skip-gram, exact, Hogwild": {"negatives": "exact", "hogwild": True},
    "gensim skip-gram": {"sg": 1},
    "nlpkit skip-gram, tree": {"objective": "hierarchical-softmax"},
    "gensim skip-gram, tree": {"sg": 1, "hs": 1, "negative": 0},
    "nlpkit CBOW": {"architecture": "cbow"},
    "nlpkit CBOW, Hogwild": {"architecture": "cbow", "hogwild": True},
    "gensim CBOW": {"sg": 0},
}
QUALITY = {"analogies": "google/questions-words.txt"} | {
    name: f"word-sim/EN-{file}.tsv"
    for name, file in {
        "WS-353": "WS-353-ALL",
        "SimLex": "SIMLEX-999",
        "MEN": "MEN-TR-3k",
        "rare words": "RW-STANFORD",
    }.items()
}


def documents(words: int) -> Iterator[str]:
    """The first `words` words of wiki-en, in documents of at most 10,000."""
    path = Path(os.environ["NLPKIT_DATA"]) / "text/dev/wiki-en.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            found = re.findall("[a-z]+", json.loads(line)["text"].lower())[:words]
            words -= len(found)
            for start in range(0, len(found), MOST_WORDS):
                yield " ".join(found[start : start + MOST_WORDS])
            if words == 0:
                return


def prepare(words: int, folder: Path) -> None:
    from nlpkit.text import Document
    from nlpkit.tokenization import WordVocabulary, encode_corpus

    texts = list(documents(words))
    (folder / "lines.txt").write_text("\n".join(texts) + "\n")
    documents_of = [Document(text, str(i)) for i, text in enumerate(texts)]
    encode_corpus(documents_of, WordVocabulary.train(texts), folder / "shards", validation=0)


def train_nlpkit(folder: Path, options: dict[str, Any], common: argparse.Namespace) -> tuple[float, float]:
    from nlpkit.embeddings import train_word2vec

    out = folder / "vectors"
    vectors = train_word2vec(
        folder / "shards",
        out,
        dim=common.dim,
        epochs=common.epochs,
        sample=common.sample,
        seed=common.seed,
        threads=common.threads,
        **options,
    )
    peak_before_export()
    vectors.save_word2vec_format(folder / "vectors.txt")
    epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return sum(epoch["cpu_seconds"] for epoch in epochs), sum(epoch["seconds"] for epoch in epochs)


def train_gensim(folder: Path, options: dict[str, Any], common: argparse.Namespace) -> tuple[float, float]:
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=common.dim,
        alpha=0.025 if options["sg"] else 0.05,
        sample=common.sample,
        seed=common.seed,
        workers=common.threads,
        **options,
    )
    lines = str(folder / "lines.txt")
    model.build_vocab(corpus_file=lines)
    cpu, wall = time.process_time(), time.perf_counter()
    model.train(
        corpus_file=lines,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=common.epochs,
    )
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak_before_export()
    model.wv.save_word2vec_format(str(folder / "vectors.txt"))
    return cpu, wall


def peak_before_export() -> None:
    """Remember the most memory that training took, imports included."""
    global peak_mb
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


peak_mb = 0


def quality(folder: Path) -> dict[str, float]:
    """Analogies among the 30,000 most frequent words in percent, Spearman times 100."""
    from nlpkit.embeddings import KeyedVectors

    vectors = KeyedVectors.load(folder / "vectors.txt")
    root = Path(os.environ["NLPKIT_DATA"]) / "text/embed"
    figures = {}
    for name, file in QUALITY.items():
        if name == "analogies":
            figures[name] = vectors.evaluate_word_analogies(root / file, restrict_vocab=30_000)[0]
        else:
            figures[name] = vectors.evaluate_word_pairs(root / file)[1][0]
    return {name: 100 * figure for name, figure in figures.items()}


def child(name: str, common: argparse.Namespace) -> None:
    folder, options = Path(common.folder), TRAININGS[name]
    train = train_gensim if name.startswith("gensim") else train_nlpkit
    cpu, wall = train(folder, options, common)
    figures = quality(folder) if common.quality else {}
    print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak_mb, "quality": figures}))


def run(name: str, common: argparse.Namespace, folder: str, seed: int) -> dict[str, Any]:
    flags = [f"--{key}={getattr(common, key)}" for key in SETTINGS]
    flags += [f"--seed={seed}", f"--folder={folder}", f"--child={name}"] + ["--quality"] * common.quality
    done = subprocess.run([sys.executable, __file__, *flags], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--sample", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each training; the fastest counts")
    parser.add_argument("--seeds", type=int, default=1, help="seeds whose quality is averaged")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--only", default="", help="trainings whose name holds one of these, split at commas")
    parser.add_argument("--log", type=Path, help="the file that keeps each run's figures")
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    common = parse_arguments()
    if common.child:
        child(common.child, common)
        return
    if "NLPKIT_DATA" not in os.environ:
        raise SystemExit("set NLPKIT_DATA to the folder of the benchmarks' data")
    names = [name for name in TRAININGS if any(part in name for part in common.only.split(","))]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    log = common.log.open("a+", encoding="utf-8") if common.log else io.StringIO()
    log.seek(0)
    known = {line["key"]: line for line in map(json.loads, log)}
    with tempfile.TemporaryDirectory() as folder:
        prepare(common.words, Path(folder))
        # Round after round, so that a busy minute does not fall on one of them alone.
        for i in range(max(common.repeat, common.seeds)):
            for name in names:
                seed = 1 + i % common.seeds
                settings = [f"{key}={getattr(common, key)}" for key in SETTINGS]
                key = "; ".join([name, *settings, f"seed={seed}", f"run={i // common.seeds}"])
                line = known.get(key) or {"key": key, **run(name, common, folder, seed)}
                if key not in known:
                    log.write(json.dumps(line) + "\n")
                    log.flush()
                found[name].append(line)
    report(common, found)


def report(common: argparse.Namespace, found: dict[str, list[dict[str, Any]]]) -> None:
    trained = common.words * common.epochs / 1000
    print(f"{common.words:,} words, " + ", ".join(f"{key} {getattr(common, key)}" for key in SETTINGS[1:]))
    columns = list(QUALITY) if common.quality else []
    head = ["training", "kw per CPU s", "x gensim", "kw per s", "peak MB", *columns]
    print("| " + " | ".join(head) + " |\n|---|" + "--:|" * (len(head) - 1))
    for name, runs in found.items():
        peer = found.get(peer_of(name), [])
        cpu, wall = (min(one[clock] for one in runs) for clock in ("cpu", "wall"))
        ratio = f"{min(one['cpu'] for one in peer) / cpu:.2f}" if peer else ""
        cells = [name, f"{trained / cpu:,.0f}", ratio, f"{trained / wall:,.0f}"]
        cells.append(f"{min(one['peak'] for one in runs)}")
        cells += [quality_cell(column, runs, peer) for column in columns]
        print("| " + " | ".join(cells) + " |", flush=True)


def peer_of(name: str) -> str:
    """gensim's training of the same kind."""
    if "CBOW" in name:
        return "gensim CBOW"
    return "gensim skip-gram, tree" if "tree" in name else "gensim skip-gram"


def quality_cell(column: str, runs: list[dict[str, Any]], peer: list[dict[str, Any]]) -> str:
    """The mean, and how far it lies below gensim's where that is more than the bar allows."""
    ours, theirs = ([one["quality"][column] for one in side] for side in (runs, peer))
    if not theirs:
        return f"{mean(ours):.1f}"
    error = math.sqrt(variance(ours) / len(ours) + variance(theirs) / len(theirs)) if len(ours) > 1 else 0
    below = mean(theirs) - mean(ours)
    return f"{mean(ours):.1f}" + (f" (MISSED by {below:.1f})" if below > max(1, 2 * error) else "")


if __name__ == "__main__":
    main()
