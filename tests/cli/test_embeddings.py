"""`nlpkit embeddings`: what the commands print, and their errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.embeddings import KeyedVectors
from nlpkit.tokenization import Tokenizer, WordVocabulary, encode_corpus

Run = Callable[..., Any]


class Document:
    text = "the cat sat on the mat and the dog sat on the log\n" * 60


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("embeddings") / "shards"
    encode_corpus([Document()], WordVocabulary.train([Document.text]), out, validation=0)
    return out


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    table = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1], [1, 1, 1], [0, 0, -1]], np.float32)
    words = [b"man", b"king", b"royal", b"woman", b"queen", b" \xffodd\n"]
    KeyedVectors(words, table, np.arange(6, 0, -1).astype(np.uint64)).save(tmp_path / "vectors")
    return tmp_path / "vectors"


def test_train_then_ask(nlpkit: Run, shards: Path, tmp_path: Path) -> None:
    options = ["--dim", 8, "--epochs", 2, "--min-count", 1, "--negative", 2, "--threads", 1]
    done = nlpkit("embeddings", "train", shards, "--out", tmp_path / "out", *options)
    assert done.code == 0, done.err
    assert "words    8" in done.out
    asked = nlpkit("embeddings", "similar", tmp_path / "out", "cat", "--topn", 3)
    assert (asked.code, len(asked.out.splitlines())) == (0, 4)


def test_train_by_torch(nlpkit: Run, shards: Path, tmp_path: Path) -> None:
    Tokenizer.train([Document.text], vocab_size=270).save(tmp_path / "bpe")
    options = ["--dim", 8, "--epochs", 1, "--min-count", 1, "--negative", 4, "--architecture", "cbow"]
    options += ["--threads", 1, "--resume"]
    made = ["--objective", "infonce", "--temperature", 0.2, "--pieces", tmp_path / "bpe"]
    done = nlpkit("embeddings", "train", shards, "--out", tmp_path / "out", *options, *made)
    assert done.code == 0, done.err
    asked = nlpkit("embeddings", "similar", tmp_path / "out", "catdog", "-n", 2, "--json")
    assert len(json.loads(asked.out)) == 2
    done = nlpkit("embeddings", "train", shards, "--out", tmp_path / "cpu", *options, "--device", "cpu")
    assert done.code == 0, done.err
    config = json.loads((tmp_path / "cpu" / "config.json").read_text())
    assert (config["objective"], config["trainer"], config["negative"]) == ("negative-sampling", "torch", 4)


def test_similar(nlpkit: Run, vectors: Path) -> None:
    done = nlpkit("embeddings", "similar", vectors, "king", "woman", "--negative", "man", "-n", 1, "--json")
    assert json.loads(done.out) == [{"word": "queen", "similarity": pytest.approx(0.97, abs=0.02)}]
    shown = nlpkit("embeddings", "similar", vectors, "royal")
    assert r"␣\xffodd\n" in shown.out  # any bytes can be printed


def test_analogy(nlpkit: Run, vectors: Path) -> None:
    for multiply in ([], ["--multiply"]):
        done = nlpkit("embeddings", "analogy", vectors, "man", "king", "woman", "-n", 1, "--json", *multiply)
        assert json.loads(done.out)[0]["word"] == "queen"


def test_export(nlpkit: Run, vectors: Path, tmp_path: Path) -> None:
    for name in ("v.txt", "v.bin"):
        done = nlpkit("embeddings", "export", vectors, tmp_path / name)
        assert done.code == 0, done.err
        assert "left out" in done.out
        asked = nlpkit("embeddings", "similar", tmp_path / name, "king", "-n", 1, "--json")
        assert json.loads(asked.out)[0]["word"] == "queen"


def test_evaluate(nlpkit: Run, vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "analogies.txt").write_text(": royal\nman king woman queen\n")
    (tmp_path / "pairs.tsv").write_text("king\tqueen\t9\nman\twoman\t7\nroyal\twoman\t1\nnix\tman\t3\n")
    files = ["--analogies", tmp_path / "analogies.txt", "--pairs", tmp_path / "pairs.tsv"]
    done = nlpkit("embeddings", "evaluate", vectors, *files, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["analogies"][0]["accuracy"] == 1.0
    assert found["pairs"][0]["spearman"] == pytest.approx(1)
    assert found["pairs"][0]["unknown"] == 1
    shown = nlpkit("embeddings", "evaluate", vectors, *files)
    assert "royal" in shown.out
    assert "pairs.tsv" in shown.out


def test_two_models_are_compared(nlpkit: Run, vectors: Path, tmp_path: Path) -> None:
    other = KeyedVectors.load(vectors)
    KeyedVectors(other.tokens, other.vectors[::-1]).save(tmp_path / "other")
    (tmp_path / "analogies.txt").write_text(": royal\nman king woman queen\nking man queen woman\n")
    (tmp_path / "pairs.tsv").write_text("king\tqueen\t9\nman\twoman\t7\nroyal\tman\t1\nking\troyal\t5\n")
    files = ["--analogies", tmp_path / "analogies.txt", "--pairs", tmp_path / "pairs.tsv"]
    page = tmp_path / "report.html"
    done = nlpkit("embeddings", "evaluate", vectors, tmp_path / "other", *files, "--json", "--html", page)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert [line["vectors"] for line in found["pairs"]] == [str(vectors), str(tmp_path / "other")]
    first, second = (line["spearman"] for line in found["pairs"])
    total, pairs = found["differences"][-2:]
    assert (total["section"], total["questions"], total["difference"]) == ("Total accuracy", 2, -0.5)
    assert pairs["difference"] == pytest.approx(second - first)
    assert pairs["low"] <= pairs["difference"] <= pairs["high"]
    assert "royal" in page.read_text(encoding="utf-8")


def test_import_and_plot(nlpkit: Run, vectors: Path, tmp_path: Path) -> None:
    nlpkit("embeddings", "export", vectors, tmp_path / "v.txt")
    done = nlpkit(
        "embeddings", "import", tmp_path / "v.txt", "--out", tmp_path / "back", "--half", "--limit", 4
    )
    assert done.code == 0, done.err
    assert KeyedVectors.load(tmp_path / "back").vectors.dtype == np.float16
    done = nlpkit(
        "embeddings",
        "plot",
        tmp_path / "back",
        tmp_path / "map.html",
        "--word",
        "king",
        "--word",
        "man",
        "--word",
        "woman",
    )
    assert done.code == 0, done.err
    assert "words  3" in done.out
    assert (tmp_path / "map.html").is_file()


def test_errors_are_one_sentence(nlpkit: Run, vectors: Path, shards: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    cases: list[tuple[list[object], int, str]] = [
        (["similar", vectors, "kin"], 1, "nlpkit: There is no vector for 'kin': did you mean 'king'?\n"),
        (["similar", tmp_path / "none", "king"], 2, f"nlpkit: {tmp_path / 'none'} does not exist"),
        (["train", tmp_path / "none", "--out", tmp_path / "out"], 2, "nlpkit: "),
        (
            ["train", shards, "--out", tmp_path / "out", "--window", 0],
            2,
            "nlpkit: --window must be at least 1",
        ),
        (["train", shards, "--out", tmp_path / "out", "--min-count", 999], 1, "nlpkit: Only 0 words occur"),
        (["train", shards, "--out", tmp_path / "out", "--lr", "nan"], 2, "nlpkit: --lr must be a number"),
        (["train", shards, "--out", vectors / "config.json"], 2, "nlpkit: "),
        (
            ["train", shards, "--out", tmp_path / "out", "--objective", "softmax"],
            2,
            "nlpkit: --objective must be one of negative-sampling, hierarchical-softmax, nce",
        ),
        (
            [
                *("train", shards, "--out", tmp_path / "out", "--device", "cpu"),
                *("--objective", "hierarchical-softmax"),
            ],
            2,
            "nlpkit: --objective hierarchical-softmax is not for torch: leave out --pieces and --device.",
        ),
        (
            [
                *("train", shards, "--out", tmp_path / "out", "--objective", "nce"),
                *("--temperature", "0.1", "--min-count", 1),
            ],
            2,
            "nlpkit: --temperature is for --objective infonce",
        ),
        (
            [
                *("train", shards, "--out", tmp_path / "out", "--objective", "hierarchical-softmax"),
                *("--negative", 5),
            ],
            2,
            "nlpkit: --negative is for negative sampling",
        ),
        (
            ["train", shards, "--out", tmp_path / "out", "--device", "cpu", "--hogwild"],
            2,
            "nlpkit: --hogwild is for the compiled trainer",
        ),
        (
            ["train", shards, "--out", tmp_path / "out", "--temperature", "0.1"],
            2,
            "nlpkit: --temperature is for training by torch",
        ),
        (["evaluate", vectors], 2, "nlpkit: give --analogies or --pairs"),
        (["evaluate", vectors, vectors / "x", "--pairs", "none"], 2, "does not exist"),
        (["evaluate", vectors, "--pairs", "none.tsv"], 2, "nlpkit: none.tsv does not exist"),
        (["evaluate", vectors, "--pairs", vectors / "tokens.npy"], 1, "tokens.npy is not UTF-8 after line 0"),
        (["evaluate", vectors, "--analogies", tmp_path / "empty"], 1, "empty is empty: give a file with"),
        (["plot", vectors, tmp_path / "map.gif"], 2, "give a name that ends in .html or .png"),
        (["plot", vectors, tmp_path / "m.html", "--word", "kin"], 1, "did you mean 'king'?"),
        (["import", vectors, "--out", tmp_path / "out", "--limit", 2], 2, "--limit is for files"),
    ]
    for arguments, code, message in cases:
        done = nlpkit("embeddings", *arguments)
        assert (done.code, done.err.count("\n")) == (code, 1), done.err
        assert message in done.err
    assert not (tmp_path / "out").exists()
