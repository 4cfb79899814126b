"""What every test runs under."""

import os
import signal
from pathlib import Path

import pytest

# One thread a test process, and in what it starts: small models gain nothing from more, and OpenMP's busy
# waiting makes them many times slower where other processes want the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Ctrl-C must mean Ctrl-C, also where the tests run as a background job, which inherits SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Vocabularies that tests load leave no images in the user's cache folder.
os.environ.setdefault("NLPKIT_IMAGES", "off")


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, so that it neither reads nor writes the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NLPKIT_CACHE", str(folder))
    return folder
