"""Training in a process of its own: its memory stays under the cap, and Ctrl-C ends every phase at once."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nlpkit.tokenization import TrainingText, pretokenize_text
from nlpkit.tokenization.encoding.splits import content_fraction

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")

TRAIN = """
import json, sys
from pathlib import Path
from nlpkit.errors import NlpkitError
from nlpkit.tokenization import TrainingText, train_vocabulary

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024

text, out, cap = sys.argv[1:4]
options = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
vocab_size = options.pop("vocab_size", 2000)
source = [Path(text)] if text.endswith(".counts") else TrainingText([text], **options)
refusal, base = None, peak()

def say(phase, done, total):
    print(phase, flush=True)

try:
    train_vocabulary(
        source, Path(out), vocab_size=vocab_size, max_memory=int(cap) or None, threads=2, progress=say
    )
except NlpkitError as error:
    refusal = str(error)
print(json.dumps({"peak": peak() - base, "refusal": refusal}))
"""


def write_words(path: Path, words: int) -> None:
    """A plain text of words of seven letters, few of which come twice, cut into lines."""
    letters = np.random.default_rng(1).integers(97, 123, size=(words, 8), dtype=np.uint8)
    letters[:, 0] = ord(" ")
    letters[::100, 0] = ord("\n")
    path.write_bytes(letters.tobytes())


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "words.txt"
    write_words(path, 1_000_000)
    return path


def train(text: Path, out: Path, cap: int, **options: object) -> dict[str, object]:
    command = [sys.executable, "-c", TRAIN, str(text), str(out), str(cap), json.dumps(options)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def test_the_process_stays_under_the_cap_and_the_cap_that_it_names_works(text: Path, tmp_path: Path) -> None:
    """A million different words: counting alone takes twice the cap when it has none."""
    cap = 24_000_000
    told = train(text, tmp_path / "v", cap)
    assert told["peak"] < cap
    named = re.search(
        r"999,\d{3} unique pre-tokens to 1,999 tokens does not fit .* at least (\d+)MB", str(told["refusal"])
    )
    assert named is not None
    least = int(named[1]) * 10**6
    within = train(text, tmp_path / "v", least)
    assert within["refusal"] is None
    assert within["peak"] < least
    free = train(text, tmp_path / "w", 0)
    assert free["peak"] > least
    assert (tmp_path / "v/vocabulary.tiktoken").read_bytes() == (
        tmp_path / "w/vocabulary.tiktoken"
    ).read_bytes()


@pytest.mark.parametrize("options", [{"errors": "skip"}, {"sample": 0.999}, {"held_out": 0.5}], ids=str)
def test_one_document_larger_than_the_cap(tmp_path: Path, options: dict[str, object]) -> None:
    """Some 50 MB that are read twice, wait on the disk, or are measured on."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, repeated in (("short.txt", 100), ("long.txt", 900_000)):
        held_out = name == "long.txt"
        body = "the cat sat on the mat, and the dog on a different mat\n" * repeated
        ends = (f"{body}{i}" for i in range(100))
        text = next(text for text in ends if (content_fraction(text.encode()) < 0.5) == held_out)
        (folder / name).write_text(text, encoding="utf-8")
    told = train(folder, tmp_path / "v", 24_000_000, vocab_size=270, **options)
    assert told["refusal"] is None
    assert told["peak"] < 24_000_000


@pytest.mark.parametrize("phase", ["counting", "adding up", "merging"])
def test_ctrl_c_ends_every_phase_at_once(tmp_path: Path, phase: str) -> None:
    """Each phase would go on for seconds."""
    text = tmp_path / "words.txt"
    write_words(text, 3_000_000)
    if phase == "merging":
        pretokenize_text(TrainingText([text]), tmp_path / "words.counts")
        text = tmp_path / "words.counts"
    command = [
        sys.executable,
        "-c",
        TRAIN,
        str(text),
        str(tmp_path / "v"),
        "0" if phase == "merging" else "24000000",
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    with child:
        assert child.stdout is not None
        while child.stdout.readline() != f"{phase}\n".encode():
            assert child.poll() is None
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, told = child.communicate()
        seconds = time.monotonic() - started
    assert b"KeyboardInterrupt" in told
    assert seconds < 2  # one, and what a busy machine takes to end the process
    assert not (tmp_path / "v").exists()
    assert not list(tmp_path.glob("nlpkit-counts-*"))
