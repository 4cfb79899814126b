"""`nlpkit doctor`, and the function behind it on machines that are poorer than this one."""

import json
import subprocess
import sys
from collections import namedtuple
from types import SimpleNamespace

import pytest

import nlpkit
from nlpkit import _core
from nlpkit.pipeline import machine
from nlpkit.pipeline.doctor import diagnose


def test_doctor_prints_what_was_asked_for(program: list[str]) -> None:
    out = subprocess.run([*program, "doctor"], capture_output=True, text=True, check=True).stdout
    shown = {line.split("  ")[0] for line in out.splitlines()}
    assert {"nlpkit", "Python", "numpy", "torch", "simd", "threads", "torch devices"} <= shown
    assert {"memory", "free memory", "free disk", "core"} <= shown


def test_doctor_as_json(program: list[str]) -> None:
    out = subprocess.run([*program, "doctor", "--json"], capture_output=True, text=True, check=True).stdout
    told = json.loads(out)
    assert told["facts"]["versions"]["nlpkit"] == nlpkit.__version__
    assert told["facts"]["simd"] == _core.simd_level()
    assert told["facts"]["core"] == _core.compiler()
    assert told["facts"]["torch devices"][0] == "cpu"
    assert isinstance(told["warnings"], list)


def warnings(text: str) -> list[str]:
    return [warning for warning in diagnose().warnings if text in warning]


def test_an_old_processor_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bool(warnings("AVX2")) == (_core.simd_level() in ("x86-64", "scalar"))
    monkeypatch.setattr(_core, "simd_level", lambda: "x86-64")
    assert len(warnings("no AVX2")) == 1


def test_a_single_thread_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "resolve_threads", lambda: 1)
    assert len(warnings("only one thread")) == 1


def test_little_memory_and_disk_are_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine, "free_memory", lambda: 2**30)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(0, 0, 2**29))
    assert warnings("1.0 GiB of memory are free")
    assert warnings("0.5 GiB of disk are free")


def test_unknown_memory_is_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    assert not warnings("memory")


def test_a_torch_that_cannot_be_loaded_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert warnings("torch cannot be loaded")
    assert diagnose().facts["torch devices"] is None


def test_a_core_that_cannot_be_loaded_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(nlpkit, "_core", raising=False)
    monkeypatch.setitem(sys.modules, "nlpkit._core", None)
    assert warnings("compiled core cannot be loaded")


def test_an_output_that_is_not_utf8_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="latin-1"))
    assert warnings("output is written as latin-1")
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="UTF-8"))
    assert not warnings("output is written")


def test_memory_is_measured_from_the_last_reset() -> None:
    machine.reset_peak_memory()
    before = machine.peak_memory()
    if before is None:
        pytest.skip("this system does not tell")
    held = bytearray(64 * 2**20)
    after = machine.peak_memory()
    assert after is not None
    assert after - before > 50 * 2**20
    del held
    assert machine.total_memory() > after
