"""The machine that this process runs on: its processors, their abilities, its memory, its GPUs.

A container's limits (Linux control groups of both versions) count as the machine's own.
"""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # on Linux
CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_CONTROL_GROUPS = Path("/proc/self/cgroup")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})

# Set for the workers of this machine, which share its processors and GPUs.
THREADS = "GROWSEARCH_THREADS"
GPU_MEMORY = "GROWSEARCH_GPU_MEMORY"
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"

# Of a GPU that several workers share; the rest is what each process needs beside its tensors.
SHARED_GPU_MEMORY = 0.9

_GPU_SECONDS = 20.0  # a driver that hangs counts as no GPU


def processors() -> int:
    """Return how many processors this process may use.

    It is the least of the processors that the system lets it run on, the quota of its container
    (rounded up), and the environment variable ``GROWSEARCH_THREADS``.

    Examples
    --------
    >>> processors() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):  # not every system restricts processes
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    count = min(count, math.ceil(min(count, _processor_quota())))
    named = os.environ.get(THREADS, "")
    if named.isdecimal():
        count = min(count, int(named))
    return max(1, count)


def processor_name() -> str:
    """Return the processor's model name, or the name that Python knows it by."""
    # On Linux Python knows no more than "x86_64".
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def processor_flags() -> frozenset[str]:
    """Return the names of the processor's instruction sets; none where the system is silent."""
    return frozenset(_cpuinfo("flags").split())


def processor_has_bfloat16() -> bool:
    """Return whether the processor lists instructions for bfloat16."""
    return not BFLOAT16_FLAGS.isdisjoint(processor_flags())


def physical_memory() -> float:
    """Return the bytes of this machine's memory, or of its container's limit if that is less.

    Infinite where the system is silent.
    """
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        memory = math.inf
    limits = _limits("memory", "memory.max", "memory.limit_in_bytes")
    return min([memory, *(float(limit) for limit in limits if limit.isdecimal())])


def gpus() -> tuple[str, ...]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them.

    They are those of the environment variable where it is set, and otherwise what ``nvidia-smi``
    lists: a GPU, or each of its MIG instances. None on a machine without that program.
    """
    named = os.environ.get(VISIBLE_GPUS)
    if named is None:
        return _listed_gpus()
    found = []
    for name in (name.strip() for name in named.split(",")):
        if not name or name.startswith("-"):  # CUDA ignores this entry and all after it
            break
        found.append(name)
    return tuple(found)


def gpu_memory_fraction() -> float | None:
    """Return the fraction of its GPU's memory that this process may use, or None for all of it.

    It is the environment variable ``GROWSEARCH_GPU_MEMORY``, a number above 0 and below 1.
    """
    try:
        fraction = float(os.environ.get(GPU_MEMORY, ""))
    except ValueError:
        return None
    return fraction if 0.0 < fraction < 1.0 else None


@cache
def _listed_gpus() -> tuple[str, ...]:
    """Return the GPUs that ``nvidia-smi`` lists, by their unique names."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_GPU_SECONDS,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return gpus_in(listed)


def gpus_in(listed: str) -> tuple[str, ...]:
    """Return the names in what ``nvidia-smi -L`` printed; MIG instances stand for their GPU.

    Examples
    --------
    >>> gpus_in("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-8f6c)")
    ('GPU-8f6c',)
    """
    found: list[list[str]] = []
    for kind, name in re.findall(r"^\s*(GPU|MIG)\b.*\(UUID: ([^)]+)\)", listed, re.MULTILINE):
        if kind == "GPU":
            found.append([name])
        elif found:
            found[-1].append(name)
    return tuple(name for gpu in found for name in (gpu[1:] or gpu))


def _processor_quota() -> float:
    """Return the processors that the container's quota of time is worth; infinite without one."""
    quotas = [math.inf]
    for limit in _limits("cpu", "cpu.max"):
        quota, _, period = limit.partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            quotas.append(int(quota) / int(period))
    for limit, period in zip(
        _limits("cpu", "", "cpu.cfs_quota_us"),
        _limits("cpu", "", "cpu.cfs_period_us"),
        strict=False,
    ):
        if limit.isdecimal() and period.isdecimal() and int(period):  # a quota of -1 is none
            quotas.append(int(limit) / int(period))
    return min(quotas)


def _limits(controller: str, unified: str, separate: str = "") -> list[str]:
    """Return the values of a file in this process's control groups, from its own to the root.

    Parameters
    ----------
    controller : str
    unified, separate : str
        The file's name in version 2 and in version 1; none for a version that has no such file.
    """
    try:
        lines = OWN_CONTROL_GROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            name, mounts = unified, (CONTROL_GROUPS / "unified", CONTROL_GROUPS)
        elif controller in controllers.split(","):
            name, mounts = separate, (CONTROL_GROUPS / controllers, CONTROL_GROUPS / controller)
        else:
            continue
        mount = next((mount for mount in mounts if mount.is_dir()), None)
        if not name or mount is None:
            continue
        # A container sees its own group at the root, and may be told its path outside.
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(mount) and (folder / name).is_file():
                found.append((folder / name).read_text().strip())
    return found


def _cpuinfo(key: str) -> str:
    """Return the first value of a key in the system's list of processors, or nothing."""
    try:
        text = CPUINFO.read_text(errors="replace")
    except OSError:  # not Linux
        return ""
    found = re.search(rf"^{key}[ \t]*:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""
