"""The facts about the machine that growsearch goes by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from growsearch import machine


@pytest.mark.parametrize(
    ("text", "native"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("flags\t\t: fpu avx512f avx512_bf16x\nbugs\t\t: avx512_bf16\n", False),
        ("flags\t\t:\nbugs\t\t: avx512_bf16\n", False),
        ("Features\t: asimd bf16\n", False),
        ("", False),
    ],
)
def test_the_flags_of_the_processor_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, native: bool
) -> None:
    """A processor has bfloat16 only if it lists the instructions."""
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    monkeypatch.setattr(machine, "CPUINFO", path)
    assert machine.processor_has_bfloat16() is native


def test_a_system_without_a_list_of_processors_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc there is no bfloat16, and the name is the one that Python knows."""
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "absent")
    assert not machine.processor_has_bfloat16()
    assert machine.processor_name()


def test_the_name_is_the_model_of_the_first_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model number stands beside the name, and is another key."""
    path = tmp_path / "cpuinfo"
    path.write_text("model\t\t: 85\nmodel name\t: One  CPU @ 2 GHz\n\nmodel name\t: Other\n")
    monkeypatch.setattr(machine, "CPUINFO", path)
    assert machine.processor_name() == "One  CPU @ 2 GHz"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processes to be restricted")
def test_only_processors_that_the_process_may_use_count() -> None:
    """A process that is restricted to one processor has one, whatever the machine has."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.processors() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert machine.processors() == len(before)
