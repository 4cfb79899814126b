"""`get_corpus` against a local HTTP server: resume, checksums, refusals, and no network at all."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.text import Corpus, corpora
from nlpkit.text.corpora import RegisteredCorpus
from nlpkit.text.fetching import get_corpus

CONTENT = b"".join(b"line %d of a corpus\n" % number for number in range(50_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A server of `content` at any path, with the habits of real ones."""

    url: str
    content: bytes = CONTENT
    status: int = 0  # answer only this, where set
    knows_ranges: bool = True
    says_length: bool = True
    stop_after: int | None = None  # close the connection after so many bytes
    ranges: list[str | None] = field(default_factory=list)  # the Range header of each request


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            state.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.knows_ranges else 0
            if state.status:
                self.send_error(state.status)
                return
            if start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}"
                )
            if state.says_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.stop_after])

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{http.server_address[1]}/folder/texts.txt")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def registered(server: Server, monkeypatch: pytest.MonkeyPatch) -> RegisteredCorpus:
    """A registry whose one set is what `server` holds."""
    corpus = RegisteredCorpus("tiny", "a test", "en", "text", server.url, SHA256, len(CONTENT), "MIT")
    for module in (corpora, get_corpus.__globals__):
        registry = {"registered_corpora": lambda: {"tiny": corpus}}
        if isinstance(module, dict):
            monkeypatch.setitem(module, "registered_corpora", registry["registered_corpora"])
        else:
            monkeypatch.setattr(module, "registered_corpora", registry["registered_corpora"])
    return corpus


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_registered_corpus_is_downloaded_and_found_by_name(
    registered: RegisteredCorpus, own_cache: Path
) -> None:
    calls: list[tuple[str, int, int]] = []
    path = get_corpus("tiny", progress=lambda *call: calls.append(call))
    assert path == own_cache / "tiny.txt"
    assert path.read_bytes() == CONTENT
    assert files(own_cache) == ["tiny.txt"]
    assert {call[0] for call in calls} == {"download"}
    assert calls[-1][1:] == (len(CONTENT), len(CONTENT))
    assert len(list(Corpus(["corpus:tiny"], lines=True))) == 50_000


def test_what_is_here_is_not_fetched_again(registered: RegisteredCorpus, server: Server) -> None:
    assert get_corpus("tiny") == get_corpus("tiny")
    assert len(server.ranges) == 1


def test_a_damaged_copy_is_fetched_again(registered: RegisteredCorpus, own_cache: Path) -> None:
    (own_cache / "tiny.txt").write_bytes(CONTENT[:-1])
    assert get_corpus("tiny").read_bytes() == CONTENT


def test_a_url_goes_to_the_folder_named(server: Server, tmp_path: Path) -> None:
    path = get_corpus(server.url, sha256=SHA256.upper(), out=tmp_path / "new")
    assert path == tmp_path / "new" / "texts.txt"
    assert path.read_bytes() == CONTENT


def test_a_url_goes_to_the_current_folder_by_default(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert get_corpus(server.url, sha256=SHA256) == Path("texts.txt")
    assert files(tmp_path) == ["texts.txt"]


@pytest.mark.parametrize("says_length", [True, False])
def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path, says_length: bool) -> None:
    (tmp_path / "texts.txt.part").write_bytes(CONTENT[:12345])
    server.says_length = says_length
    path = get_corpus(server.url, sha256=SHA256, out=tmp_path)
    assert server.ranges == ["bytes=12345-"]
    assert path.read_bytes() == CONTENT
    assert files(tmp_path) == ["texts.txt"]


def test_a_connection_that_breaks_leaves_the_part_to_go_on_from(server: Server, tmp_path: Path) -> None:
    server.stop_after = 100_000
    with pytest.raises(NlpkitError, match=r"stopped after 100,000 of [\d,]+ bytes: run the command again"):
        get_corpus(server.url, sha256=SHA256, out=tmp_path)
    assert files(tmp_path) == ["texts.txt.part"]
    server.stop_after = None
    assert get_corpus(server.url, sha256=SHA256, out=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "texts.txt.part").write_bytes(b"x" * 500)
    server.knows_ranges = False
    assert get_corpus(server.url, sha256=SHA256, out=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [0, 7])
def test_a_part_as_long_as_the_file_or_longer_starts_again(
    server: Server, tmp_path: Path, extra: int
) -> None:
    (tmp_path / "texts.txt.part").write_bytes(b"x" * (len(CONTENT) + extra))
    assert get_corpus(server.url, sha256=SHA256, out=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + extra}-", None]


def test_a_complete_part_of_a_registered_corpus_needs_no_request(
    registered: RegisteredCorpus, server: Server, own_cache: Path
) -> None:
    (own_cache / "tiny.txt.part").write_bytes(CONTENT)
    assert get_corpus("tiny").read_bytes() == CONTENT
    assert server.ranges == []


def test_a_part_longer_than_the_registered_corpus_starts_again(
    registered: RegisteredCorpus, server: Server, own_cache: Path
) -> None:
    (own_cache / "tiny.txt.part").write_bytes(CONTENT + b"more")
    assert get_corpus("tiny").read_bytes() == CONTENT
    assert server.ranges == [None]


def test_another_checksum_is_refused_and_the_file_removed(server: Server, tmp_path: Path) -> None:
    server.content = b"something else"
    with pytest.raises(CorruptFileError) as caught:
        get_corpus(server.url, sha256=SHA256, out=tmp_path)
    found = hashlib.sha256(b"something else").hexdigest()
    assert f"{server.url} has SHA-256 {found}, not {SHA256}: what came was removed" in str(caught.value)
    assert caught.value.exit_code == 1
    assert files(tmp_path) == []


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (503, "Service Unavailable")])
def test_a_refusal_by_the_server_says_what_to_do(
    registered: RegisteredCorpus, server: Server, own_cache: Path, status: int, reason: str
) -> None:
    server.status = status
    with pytest.raises(NlpkitError) as caught:
        get_corpus("tiny")
    assert str(caught.value) == (
        f"{server.url} answered {status} {reason}: run the command again to go on, or fetch the file in "
        "another way and run `nlpkit corpus get tiny --from FILE`."
    )
    assert files(own_cache) == []


def test_without_a_network_the_way_by_hand_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a.txt"
        with pytest.raises(NlpkitError) as caught:
            get_corpus(url, sha256=SHA256, out=tmp_path)
    assert str(caught.value).startswith(f"{url} cannot be reached (")
    assert f"run `nlpkit corpus get {url} --sha256 {SHA256} --from FILE`." in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_file_brought_by_hand_is_checked_and_taken(
    registered: RegisteredCorpus, server: Server, own_cache: Path, tmp_path: Path
) -> None:
    by_hand = tmp_path / "by-hand.txt"
    by_hand.write_bytes(CONTENT)
    assert get_corpus("tiny", from_file=by_hand) == own_cache / "tiny.txt"
    assert by_hand.read_bytes() == (own_cache / "tiny.txt").read_bytes() == CONTENT
    assert server.ranges == []


def test_a_wrong_file_brought_by_hand_is_refused_and_kept(
    registered: RegisteredCorpus, own_cache: Path, tmp_path: Path
) -> None:
    by_hand = tmp_path / "by-hand.txt"
    by_hand.write_bytes(b"wrong")
    with pytest.raises(
        CorruptFileError, match=r"by-hand\.txt has SHA-256 \w{64}, not \w{64}: it was not taken"
    ):
        get_corpus("tiny", from_file=by_hand)
    assert by_hand.read_bytes() == b"wrong"
    assert files(own_cache) == []


def test_the_sample_can_be_had_as_one_file(tmp_path: Path) -> None:
    path = get_corpus("sample", out=tmp_path)
    assert path == tmp_path / "sample.jsonl"
    assert [document.text for document in Corpus([path])] == [d.text for d in Corpus(["corpus:sample"])]
    assert "/" not in json.loads(path.read_text(encoding="utf-8").split("\n")[0])["source"]
    assert get_corpus("sample").is_dir()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nothing", {}, "There is no corpus 'nothing': give a URL, or choose among sample"),
        ("http://127.0.0.1/a.txt", {}, "needs --sha256 with the 64 hexadecimal digits"),
        ("http://127.0.0.1/a.txt", {"sha256": "abc"}, "needs --sha256 with the 64 hexadecimal digits"),
        ("http://127.0.0.1/", {"sha256": SHA256}, "names no file"),
        ("ftp://127.0.0.1/a.txt", {"sha256": SHA256}, "is no http or https address"),
        ("file:///etc/passwd", {"sha256": SHA256}, "is no http or https address"),
        ("tinyshakespeare", {"sha256": SHA256}, "has its SHA-256 in the registry: leave out --sha256"),
        ("tinyshakespeare", {"from_file": Path("none.txt")}, "none.txt does not exist: check --from"),
        ("sample", {"from_file": Path("a.txt")}, "comes with nlpkit: leave out --sha256 and --from"),
    ],
)
def test_a_wrong_request_is_a_sentence(
    name: str, options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        get_corpus(name, out=tmp_path / "out" if name != "sample" else None, **options)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
