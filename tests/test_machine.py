"""The facts about the machine that growsearch goes by."""

from __future__ import annotations

import os
from collections.abc import Callable
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


# --- the limits of containers ---------------------------------------------------------------------

Files = dict[str, str]

UNIFIED = {"own": "0::/user/me\n", "user/me/cpu.max": "max 100000", "user/cpu.max": "150000 100000"}
IN_A_CONTAINER = {"own": "0::/outside/name\n", "cpu.max": "50000 100000", "memory.max": "1000000"}
SEPARATE = {
    "own": "4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n0::/\n",
    "cpu,cpuacct/docker/1/cpu.cfs_quota_us": "400000",
    "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000",
    "cpu,cpuacct/cpu.cfs_quota_us": "-1",
    "cpu,cpuacct/cpu.cfs_period_us": "100000",
    "memory/docker/1/memory.limit_in_bytes": "2000000",
    "memory/memory.limit_in_bytes": "9223372036854771712",
}
HYBRID = {"own": "1:cpu:/\n0::/\n", "unified/cpu.max": "100000 100000", "cpu/other": ""}


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Files], None]:
    """Control groups of the files' names and texts, on a machine of 8 processors."""

    def write(files: Files) -> None:
        for name, text in files.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n" if name != "own" else text)
        monkeypatch.setattr(machine, "CONTROL_GROUPS", tmp_path / "groups")
        monkeypatch.setattr(machine, "OWN_CONTROL_GROUPS", tmp_path / "groups" / "own")

    monkeypatch.delenv(machine.THREADS, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return write


@pytest.mark.parametrize(
    ("files", "count"),
    [
        (UNIFIED, 2),  # of the folder above; 1.5 rounded up
        (IN_A_CONTAINER, 1),  # whose path outside is not there
        (SEPARATE, 4),
        (HYBRID, 1),
        ({"own": "0::/\n", "cpu.max": "max 100000"}, 8),
        ({"own": "0::/\n", "cpu.max": "1600000 100000"}, 8),  # more than there are
        ({"own": "0::/\n", "cpu.max": "nonsense"}, 8),
        ({"own": "0::/\n"}, 8),
        ({}, 8),
    ],
)
def test_a_quota_of_processors_counts(
    groups: Callable[[Files], None], files: Files, count: int
) -> None:
    """The least quota from a process's own control group to the root is what it has."""
    groups(files)
    assert machine.processors() == count


@pytest.mark.parametrize(
    ("named", "count"), [("3", 3), ("1", 1), ("100", 8), ("0", 1), ("", 8), ("many", 8), ("-2", 8)]
)
def test_a_worker_has_the_threads_that_are_named(
    groups: Callable[[Files], None], monkeypatch: pytest.MonkeyPatch, named: str, count: int
) -> None:
    """The environment may lower the number of processors, and not raise it."""
    groups({})
    monkeypatch.setenv(machine.THREADS, named)
    assert machine.processors() == count


@pytest.mark.parametrize(
    ("files", "limit"), [(IN_A_CONTAINER, 1e6), (SEPARATE, 2e6), (UNIFIED, None), ({}, None)]
)
def test_a_limit_of_memory_counts(
    groups: Callable[[Files], None], files: Files, limit: float | None
) -> None:
    """A container's memory is its limit; without one it is the machine's."""
    groups({})
    whole = machine.physical_memory()
    groups(files)
    assert machine.physical_memory() == (limit or whole)


# --- GPUs -----------------------------------------------------------------------------------------

TWO = "GPU 0: NVIDIA A100 (UUID: GPU-aa)\nGPU 1: NVIDIA A100 (UUID: GPU-bb)\n"
MIG = """GPU 0: NVIDIA A100 (UUID: GPU-aa)
  MIG 3g.20gb     Device  0: (UUID: MIG-cc)
  MIG 3g.20gb     Device  1: (UUID: MIG-dd)
GPU 1: NVIDIA A100 (UUID: GPU-bb)
"""


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (TWO, ("GPU-aa", "GPU-bb")),
        (MIG, ("MIG-cc", "MIG-dd", "GPU-bb")),
        ("No devices found.\n", ()),
        ("", ()),
    ],
)
def test_gpus_are_those_that_the_driver_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str, found: tuple[str, ...]
) -> None:
    """A program of the driver's name is asked; one that fails counts as no GPU."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv(machine.VISIBLE_GPUS, raising=False)
    machine._listed_gpus.cache_clear()
    try:
        assert machine.gpus() == found
        program.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
        machine._listed_gpus.cache_clear()
        assert machine.gpus() == ()
    finally:
        machine._listed_gpus.cache_clear()


@pytest.mark.parametrize(
    ("named", "found"),
    [("0,1", ("0", "1")), (" GPU-5 ", ("GPU-5",)), ("", ()), ("-1", ()), ("2,-1,3", ("2",))],
)
def test_gpus_are_those_that_cuda_sees(
    monkeypatch: pytest.MonkeyPatch, named: str, found: tuple[str, ...]
) -> None:
    """The environment decides, as it does for CUDA; it may hide them all."""
    monkeypatch.setenv(machine.VISIBLE_GPUS, named)
    assert machine.gpus() == found


@pytest.mark.parametrize(
    ("named", "fraction"),
    [("0.25", 0.25), ("1", None), ("0", None), ("", None), ("half", None), ("nan", None)],
)
def test_a_fraction_of_a_gpu_is_between_0_and_1(
    monkeypatch: pytest.MonkeyPatch, named: str, fraction: float | None
) -> None:
    """Anything else is no limit."""
    monkeypatch.setenv(machine.GPU_MEMORY, named)
    assert machine.gpu_memory_fraction() == fraction
