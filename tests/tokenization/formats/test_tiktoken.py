"""The plugin by which tiktoken finds nlpkit's vocabularies, and the export for those without nlpkit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken

from nlpkit.errors import NlpkitError
from nlpkit.tokenization import Tokenizer, WordVocabulary
from nlpkit.tokenization.formats.agreement import FUZZ_TEXTS, Agreement
from nlpkit.tokenization.formats.tiktoken_export import write_tiktoken

TEXT = "Rivers don't <|endoftext|> hurry: 12345.  \n"


def ask_tiktoken(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python where only what is installed can be imported; tiktoken keeps no copies of files."""
    return subprocess.run(
        [sys.executable, "-c", f"import json, pickle, tiktoken\n{code}"],
        cwd=cwd, capture_output=True, text=True, env=os.environ | {"TIKTOKEN_CACHE_DIR": ""} | environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def vocabularies(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vocabulary, one of words, and a damaged one."""
    folder = tmp_path_factory.mktemp("vocabularies")
    tokenizer.save(folder / "rivers")
    tokenizer.save(folder / "damaged")
    (folder / "damaged" / "vocabulary.tiktoken").write_bytes(b"")
    WordVocabulary.train(["a b c"], min_count=1).save(folder / "words")
    return folder


def test_tiktoken_finds_saved_vocabularies(tokenizer: Tokenizer, vocabularies: Path, tmp_path: Path) -> None:
    code = f"""
encoding = pickle.loads(pickle.dumps(tiktoken.get_encoding("nlpkit/rivers")))
print(json.dumps([encoding.name, encoding.encode({TEXT!r}, allowed_special="all")]))
"""
    for listed in (vocabularies, vocabularies / "rivers", f"{tmp_path / 'none'}{os.pathsep}{vocabularies}"):
        done = ask_tiktoken(code, tmp_path, NLPKIT_VOCABULARIES=str(listed))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == ["nlpkit/rivers", tokenizer.encode(TEXT, allowed_special="all")]


def test_a_broken_folder_harms_only_its_own_name(vocabularies: Path, tmp_path: Path) -> None:
    listed = f"{vocabularies}{os.pathsep}{tmp_path / 'gone'}"
    code = """
names = [name for name in tiktoken.list_encoding_names() if name.startswith("nlpkit")]
errors = []
for name in names:
    try:
        tiktoken.get_encoding(name)
    except ValueError as error:
        errors.append(str(error))
print(json.dumps([names, errors]))
"""
    done = ask_tiktoken(code, tmp_path, NLPKIT_VOCABULARIES=listed)
    assert done.returncode == 0, done.stderr
    names, errors = json.loads(done.stdout)
    assert names == ["nlpkit/damaged", "nlpkit/rivers", "nlpkit/words", "nlpkit/gone"]
    damaged, words, gone = errors
    assert "does not match its checksum" in damaged
    assert "holds a vocabulary of kind 'words'" in words
    assert "gone does not exist" in gone


def test_without_the_variable_the_plugin_is_silent_and_light(tmp_path: Path) -> None:
    code = "import sys; print(*tiktoken.list_encoding_names(), 'nlpkit' in sys.modules)"
    done = ask_tiktoken(code, tmp_path, NLPKIT_VOCABULARIES="")
    assert "nlpkit/" not in done.stdout
    assert done.stdout.endswith("False\n")


def test_an_export_works_without_nlpkit(tokenizer: Tokenizer, tmp_path: Path) -> None:
    name = '2 rivers! """\\n'
    odd = Tokenizer(name, **{k: v for k, v in tokenizer.definition.arguments().items() if k != "name"})

    def encode(text: str) -> list[int]:
        return odd.encode(text, allowed_special="all")

    agreement = write_tiktoken(odd.definition, tmp_path / "out", odd.check())
    assert agreement == Agreement(f"tiktoken {tiktoken.__version__}", FUZZ_TEXTS)
    code = f'print(tiktoken.get_encoding({name!r}).encode({TEXT!r}, allowed_special="all"))'
    done = ask_tiktoken(code, tmp_path, PYTHONPATH=str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == encode(TEXT)
    (ranks,) = (tmp_path / "out" / "tiktoken_ext").glob("*.tiktoken")
    assert Tokenizer.load(ranks, pattern="cl100k")._mergeable_ranks == odd._mergeable_ranks


def test_a_pattern_that_tiktoken_lacks_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    odd = Tokenizer(
        "odd", pat_str=r"\m\w+\M|(?s:.)", mergeable_ranks=tokenizer._mergeable_ranks, special_tokens={}
    )
    with pytest.raises(NlpkitError, match="tiktoken cannot use the split pattern of 'odd'"):
        write_tiktoken(odd.definition, tmp_path / "out", odd.check())
    assert not (tmp_path / "out").exists()
