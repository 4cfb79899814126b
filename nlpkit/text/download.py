"""One file over HTTP, into a `.part` file that a later try goes on from."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.progress import ProgressCallback, no_progress

_CHUNK_BYTES = 2**18
_TIMEOUT_SECONDS = 30.0


class DownloadError(NlpkitError):
    """A file could not be fetched: why, without a full stop; what has come of it is kept for the next try."""


def download(url: str, part: Path, *, total: int = 0, progress: ProgressCallback = no_progress) -> None:
    """Fetch `url` into `part`, going on where an earlier try stopped (an HTTP range request).

    Args:
        url: http or https.
        part: the unfinished file; complete when this returns.
        total: the size to come, in bytes, where it is known; 0 where it is not.
        progress: called with phase `download` and bytes.

    Raises:
        UsageError: the URL is neither http nor https.
        DownloadError: the server cannot be reached, refuses, or stops early.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url} is no http or https address: give one, or the file with --from.")
    have = part.stat().st_size if part.exists() else 0
    if total and have == total:
        return
    start = 0 if total and have > total else have
    try:
        response = _open(url, start)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise DownloadError(f"{url} answered {error.code} {error.reason}") from error
        response = _open(url, 0)  # what is here is longer than what is there now
    with response:
        _receive(response, url, part, total, progress)


def _open(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "nlpkit"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _network_errors(url):
        request = urllib.request.Request(url, headers=headers)
        return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # type: ignore[no-any-return]


def _receive(
    response: http.client.HTTPResponse, url: str, part: Path, total: int, progress: ProgressCallback
) -> None:
    goes_on = response.status == http.client.PARTIAL_CONTENT
    with part.open("ab" if goes_on else "wb") as file:
        done = file.tell()
        length = response.headers["Content-Length"]
        total = done + int(length) if length is not None else total
        while chunk := _read_chunk(response, url):
            file.write(chunk)
            done += len(chunk)
            progress("download", done, total)
    if done < total:
        raise DownloadError(f"{url} stopped after {done:,} of {total:,} bytes")


def _read_chunk(response: http.client.HTTPResponse, url: str) -> bytes:
    with _network_errors(url):
        return response.read(_CHUNK_BYTES)


@contextmanager
def _network_errors(url: str) -> Iterator[None]:
    """Name the address in what goes wrong on the way to it; an answer that says no passes through."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:  # OSError: also URLError and time-outs
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise DownloadError(f"{url} cannot be reached ({reason})") from error
