"""What docs/embeddings.md shows runs, block after block in one folder, on the bundled sample."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "embeddings.md").read_text(encoding="utf-8")

FILES = {  # what the page takes from elsewhere
    "questions-words.txt": ": made up\nthe river a bread\nthe a river bread\n",
    "men.tsv": "the\triver\t5\nriver\tbread\t3\nthe\ta\t9\nof\tand\t7\n",
    "simlex.tsv": "the\ta\t8\nriver\tthe\t2\nof\tand\t6\nbread\tof\t1\n",
}


def test_the_examples_of_the_page_run(
    nlpkit: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_text(content, encoding="utf-8")
    blocks = re.findall(r"```(sh|python)\n(.*?)```", PAGE, flags=re.DOTALL)
    assert [language for language, _ in blocks].count("python") == 2
    for language, block in blocks:
        if language == "python":
            exec(compile(block, "docs/embeddings.md", "exec"), {})
            continue
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "nlpkit"
            done = nlpkit(*arguments)
            assert done.code == 0, f"{line}\n{done.err}"
    for made in ("vectors.txt", "map.html", "report.html", "phrase-vectors", "infonce", "composed"):
        assert Path(made).exists()
    printed = capsys.readouterr().out
    assert "river" not in printed.split("\n", 1)[0]  # a word is not its own neighbour
    assert printed.count("['water']") == 2  # both classifiers know where "down the river" belongs
