"""`metrics.jsonl`: one JSON object a step, in order, also after a run was killed and went on."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from nlpkit.errors import CorruptFileError
from nlpkit.files import write_text


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics file, without a last line that a kill cut short.

    Raises:
        CorruptFileError: another line is no JSON.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.endswith("\n"):
            break
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise CorruptFileError(f"{path}:{number} is no JSON ({error}): restore or remove it.") from error
    return records


class MetricsFile:
    """Appends records; opening it drops those of steps after `step`, which will be made again."""

    def __init__(self, path: Path, *, step: int) -> None:
        self._path = path
        self._file = self._open(step)

    def _open(self, step: int) -> TextIO:
        kept = [record for record in read_metrics(self._path) if record["step"] <= step] if step else []
        write_text(self._path, "".join(_line(record) for record in kept))
        return self._path.open("a", encoding="utf-8")

    def go_back(self, step: int) -> None:
        """Drop the records of steps after `step`."""
        self._file.close()
        self._file = self._open(step)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record and hand it to the operating system."""
        self._file.write(_line(record))
        self._file.flush()

    def __enter__(self) -> "MetricsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"
