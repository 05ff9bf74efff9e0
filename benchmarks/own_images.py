"""A person's own images: time to the first update, memory, and accuracy of one short search.

For each path one run of ``growsearch.search`` in the space mnist, with two workers, in a process of
its own: once with an empty cache of images, and once more with the full one. It prints the seconds
from the call to the first update of the first network (reading and resizing, the start of the
workers, TensorFlow), the largest sum of the private memory of all processes (the memory-mapped
cache is the system's), and the accuracy on the test images.

    python benchmarks/own_images.py PATH... [--image-size 32] [--seconds 120] [--skip-unreadable]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from machine import processor, versions

import growsearch as gs
from growsearch.execution.events import Training

EVERY = 0.5  # seconds between two looks at the memory


def main() -> None:
    """Print a table of all runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--skip-unreadable", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options)))
        return
    print(f"{processor()}; {versions('growsearch', 'tensorflow', 'pillow')}\n")
    print("| images | cache | first update | memory | test accuracy | run |")
    print("|---|---|---|---|---|---|")
    for path in options.paths:
        with tempfile.TemporaryDirectory() as cache:
            for state in ("empty", "full"):
                row = in_own_process(path, options, cache)
                print(
                    f"| {row['images']} | {state} | {row['first']:.1f} s "
                    f"| {row['memory'] / 1e9:.2f} GB | {row['accuracy']:.4f} "
                    f"| {row['seconds']:.0f} s |",
                    flush=True,
                )


def in_own_process(path: str, options: argparse.Namespace, cache: str) -> dict[str, Any]:
    """Return the figures of one run, made in a new process with a cache folder of its own."""
    command = [sys.executable, __file__, path, "--one", "--seconds", str(options.seconds)]
    command += ["--image-size", str(options.image_size)]
    command += ["--skip-unreadable"] * options.skip_unreadable
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": cache},
    )
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Run one search, and return its figures."""
    began, first, peak = time.monotonic(), list[float](), [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            peak[0] = max(peak[0], private_memory())

    def on_event(event: object) -> None:
        if isinstance(event, Training) and not first:
            first.append(time.monotonic() - began)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = gs.search(
                "mnist",
                data=options.paths[0],
                image_size=options.image_size,
                skip_unreadable=options.skip_unreadable,
                time_budget=options.seconds,
                workers=2,
                out=Path(folder) / "run",
                began=began,
                on_event=on_event,
            )
    finally:
        over.set()
        watching.join()
    return {
        "images": result.data_source,
        "first": first[0],
        "memory": peak[0],
        "accuracy": result.test_accuracy,
        "seconds": time.monotonic() - began,
    }


def private_memory() -> int:
    """Return the bytes that this process and its children do not share with others."""
    total, this = 0, psutil.Process()
    for process in (this, *this.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.Error:  # it has just ended
            continue
    return total


if __name__ == "__main__":
    main()
