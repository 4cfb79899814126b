"""`stage.json`: what a finished stage was made from, and how to tell that its files are still those.

The *identity* of a stage is everything that its result depends on; its SHA-256 is the stage's hash, and the
hashes of the stages below are part of it, so a change anywhere below changes every hash above.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nlpkit.errors import CorruptFileError
from nlpkit.files import read_json, sha256_file, write_json

RECORD = "stage.json"
FORMAT = "nlpkit-stage"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What a stage's result depends on.

    Attributes:
        stage: its name.
        version: of its code (`Stage.version`).
        nlpkit: the release that ran it.
        parameters: its keys.
        needs: hash of each stage that it builds on.
        reads: hash of what it reads from outside the run folder, or None.
    """

    stage: str
    version: int
    nlpkit: str
    parameters: Mapping[str, Any]
    needs: Mapping[str, str]
    reads: str | None

    @property
    def hash(self) -> str:
        """SHA-256 of the identity's canonical JSON."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def difference(self, before: "Identity") -> str:
        """Why a result made with `before` does not stand for this: the first cause, in words."""
        for key in sorted({*self.parameters, *before.parameters}):
            old, new = before.parameters.get(key), self.parameters.get(key)
            if old != new:
                return f"{key} changed from {_spoken(old)} to {_spoken(new)}"
        if self.reads != before.reads:
            return "the text that it reads changed"
        for name in self.needs:
            if self.needs[name] != before.needs.get(name):
                return f"{name} changed"
        if self.nlpkit != before.nlpkit:
            return f"nlpkit {before.nlpkit} made it, this is {self.nlpkit}"
        return "its code changed"


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was when its stage ended."""

    bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What `stage.json` holds; seconds over all attempts, memory in bytes (None where it is not known)."""

    identity: Identity
    line: str
    figures: Mapping[str, Any]
    seconds: float
    peak_memory: int | None
    finished: str
    made_with: Mapping[str, Any]
    files: Mapping[str, FileState]

    def write(self, folder: Path) -> None:
        """Write `stage.json`, the last file of a stage's folder."""
        write_json(
            folder / RECORD,
            {"format": FORMAT, "version": VERSION, "hash": self.identity.hash, **asdict(self)},
        )

    def changed_file(self, folder: Path) -> str | None:
        """The first file that is no longer as the stage left it, or None.

        A file of the recorded size and time counts as unchanged (as in git's index); where the time differs,
        as in a copied folder, its content is compared.
        """
        for name, state in self.files.items():
            try:
                found = (folder / name).stat()
            except OSError:
                return name
            same_time = found.st_mtime_ns == state.mtime_ns
            if found.st_size != state.bytes or not (same_time or sha256_file(folder / name) == state.sha256):
                return name
        return None


def read_record(folder: Path) -> StageRecord | None:
    """The record of a finished stage, or None where there is none.

    Raises:
        CorruptFileError: `stage.json` is there but says nothing that this version understands.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    fields = read_json(path)
    if (fields.pop("format", None), fields.pop("version", None)) != (FORMAT, VERSION):
        raise CorruptFileError(f"{path} is not a record that this nlpkit reads: run the recipe again.")
    try:
        stored_hash = fields.pop("hash")
        identity = Identity(**fields.pop("identity"))
        files = {name: FileState(**state) for name, state in fields.pop("files").items()}
        record = StageRecord(identity=identity, files=files, **fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is damaged ({error}): run the recipe again.") from error
    if identity.hash != stored_hash:
        raise CorruptFileError(f"{path} does not match its own hash: run the recipe again.")
    return record


def file_states(folder: Path) -> dict[str, FileState]:
    """Size, time and SHA-256 of every file under `folder` but `stage.json`, by its path inside it."""
    states = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != RECORD):
        found = path.stat()
        name = path.relative_to(folder).as_posix()
        states[name] = FileState(found.st_size, found.st_mtime_ns, sha256_file(path))
    return states


def _spoken(value: Any) -> str:
    return "the default" if value is None else json.dumps(value, ensure_ascii=False)
