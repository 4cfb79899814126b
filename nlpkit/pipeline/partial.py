"""Where a resumable stage works until it is finished: `RUN/.STAGE.partial/work`."""

from dataclasses import asdict, dataclass
from pathlib import Path

from nlpkit.errors import NlpkitError
from nlpkit.files import read_json, write_json

PARTIAL = "stage.partial.json"
"""In `.STAGE.partial`: what is being made there."""
WORK = "work"
"""In `.STAGE.partial`: what will become `RUN/STAGE`."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The hash of the stage that an attempt makes, and the seconds that earlier attempts took."""

    hash: str
    seconds: float

    def write(self, folder: Path) -> None:
        """Write `stage.partial.json`."""
        write_json(folder / PARTIAL, asdict(self))


def partial_folder(out: Path, stage: str) -> Path:
    """The folder of an unfinished stage of the run folder `out`."""
    return out / f".{stage}.partial"


def read_partial(folder: Path) -> Partial | None:
    """What an interrupted attempt was making, or None where there is nothing to go on with."""
    try:
        fields = read_json(folder / PARTIAL)
        return Partial(hash=str(fields["hash"]), seconds=float(fields["seconds"]))
    except (NlpkitError, KeyError, TypeError, ValueError):
        return None
