"""The cost of growsearch beside training: 5 % of a run, 2x writing a layer, 100 ms a proposal.

The figures above are upper limits.

1. A run of 20 trials with their controls: the part of its time that is neither training nor
   evaluation. Building and optimising TensorFlow's graphs (``SlimGraph`` and its warm-up, once an
   architecture and recipe) is separate from the driver's own time: database, proposals, growth,
   files. The limit of 5 % is for the driver's time; the table has both.
2. Growth of a network's largest layer (3136x1024 to 2048, with Adam's slots: 77 MB come out)
   against writing arrays of that size once (``np.full``). They take turns.
3. ``ask`` and ``tell`` of a trial when 125, 500 and 2,000 are finished, in SQLite on this disk.

The trials are short, so that the first part ends within five minutes; with longer trainings the
share of everything else is smaller.

    python benchmarks/overhead.py [--data DIR] [--trials 20] [--steps 80] [--part run|growth|ask]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from machine import deviation, processor, versions
from optuna.trial import create_trial
from sqlalchemy import event
from sqlalchemy.engine import Engine

import growsearch as gs
from growsearch.driver.proposals import distributions
from growsearch.driver.sampler import GainSampler
from growsearch.growth import Widen, grow
from growsearch.networks import Architecture, Network, Slots
from growsearch.study.database import database_url, open_storage
from growsearch.study.open import create_or_load
from growsearch.study.read import gain_of
from growsearch.training.slim import graph_cache
from growsearch.training.slim.precision import has_native_bfloat16
from growsearch.training.slim.session import SlimGraph

MOST_OF_A_RUN, MOST_OF_WRITING, MOST_SECONDS = 0.05, 2.0, 0.1
N_GROWTHS, N_ASKS = 30, 20


# --- 1. a run -------------------------------------------------------------------------------------


class Watch:
    """Seconds by name; a watched block inside another counts for its own name only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[float] = []

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Add the block's time to a name."""
        began = time.perf_counter()
        self._inside.append(0.0)
        try:
            yield
        finally:
            took = time.perf_counter() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + took - self._inside.pop()
            if self._inside:
                self._inside[-1] += took

    def over(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added to a name."""

        def watched(*arguments: Any, **options: Any) -> Any:
            with self.on(name):
                return function(*arguments, **options)

        return watched


def run(data: str | None, trials: int, steps: int) -> bool:
    """Time a search; return True where the driver's part is within its limit."""
    precision = "bfloat16" if has_native_bfloat16() else "float32"
    overrides = [
        *("teacher.steps=200", f"teacher.precision={precision}"),
        *(f"training.steps={steps}", f"training.evaluate_every={max(1, steps // 3)}"),
        f"training.precision={precision}",
    ]
    space = gs.SearchSpace.load("net2net", overrides)
    watch, trainer = Watch(), gs.SlimTrainer()
    built: list[int] = []

    class Watched(SlimGraph):
        def __init__(self, *arguments: Any) -> None:
            built.append(1)
            with watch.on("graphs: building"):
                super().__init__(*arguments)

        def warm_up(self, plan: Any) -> None:
            with watch.on("graphs: TensorFlow optimises them"):
                super().warm_up(plan)

    setattr(graph_cache, "SlimGraph", Watched)  # noqa: B010
    for name in ("train", "evaluate"):
        told = "training and evaluation"
        setattr(trainer, name, watch.over(told, getattr(trainer, name)))
    with tempfile.TemporaryDirectory() as folder, watch.on("the driver"):
        result = gs.search(
            space, data=data, trials=trials, seed=0, out=Path(folder) / "run", trainer=trainer
        )
    whole = sum(watch.seconds.values())
    print(
        f"\n1. {len(result.trials)} trials with a control each, {steps} updates of 50 images, "
        f"{result.data_source}; n = 1 run, {whole:.0f} s, {len(built)} graphs"
    )
    for name, seconds in sorted(watch.seconds.items(), key=lambda each: -each[1]):
        print(f"   {name:<36} {seconds:7.1f} s  {seconds / whole:6.1%}")
    share = watch.seconds["the driver"] / whole
    graphs = sum(s for name, s in watch.seconds.items() if name.startswith("graphs"))
    print(
        f"   the driver takes {share:.1%} of the time (claim: {MOST_OF_A_RUN:.0%}), "
        f"with graphs {share + graphs / whole:.1%}; "
        f"{1000 * watch.seconds['the driver'] / max(1, len(result.trials)):.0f} ms a trial"
    )
    return share <= MOST_OF_A_RUN


# --- 2. growth of the largest layer ---------------------------------------------------------------


def growth() -> bool:
    """Time widening the seed architecture's fc1; return True where it is within its limit."""
    text = "5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)"
    plain = Network.initial(Architecture.parse(text, (28, 28, 1)), rng=0)
    slots = {
        slot: {
            layer: {name: np.abs(array) for name, array in arrays.items()}
            for layer, arrays in plain.weights.items()
        }
        for slot in ("m", "v")
    }
    parent = replace(plain, slots=Slots("adam", 1000, slots))

    def widen() -> Network:
        return grow(parent, Widen("fc1", 2048), rng=0)

    grown = widen()
    assert grown.slots is not None
    layers = [grown.weights, *grown.slots.values.values()]
    shapes = [a.shape for layer in layers for name in ("fc1", "fc2") for a in layer[name].values()]

    def write() -> list[Any]:
        return [np.full(shape, 1.0, np.float32) for shape in shapes]

    found = np.array([(_seconds(write), _seconds(widen)) for _ in range(N_GROWTHS + 3)])[3:]
    (writing, widening), (noise, more) = np.median(found, axis=0), map(deviation, found.T)
    megabytes = sum(4 * np.prod(shape) for shape in shapes) / 1e6
    print(
        f"\n2. fc1 from 1024 to 2048 units, weights and Adam's slots, {megabytes:.0f} MB, medians "
        f"± std, n = {N_GROWTHS}: write {writing * 1e3:.1f} ± {noise * 1e3:.1f} ms, "
        f"grow {widening * 1e3:.1f} ± {more * 1e3:.1f} ms\n"
        f"   grow/write {widening / writing:.2f} (claim: {MOST_OF_WRITING:g})"
    )
    return bool(widening / writing <= MOST_OF_WRITING)


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


# --- 3. ask and tell ------------------------------------------------------------------------------


def ask(counts: tuple[int, ...] = (125, 500, 2000)) -> bool:
    """Time proposals from long studies; return True where the longest is within its limit."""
    print(f"\n3. ask + tell, SQLite, {len(counts)} studies, medians ± std, n = {N_ASKS} each")
    medians = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            _fill(Path(folder), count)
            found = _asks(Path(folder))
        asking, telling = np.median(found, axis=0) * 1e3
        both = found.sum(axis=1) * 1e3
        medians.append(float(np.median(both)))
        print(
            f"   {count:5} finished trials: ask {asking:5.1f} ms, tell {telling:5.1f} ms, "
            f"together {medians[-1]:5.1f} ± {deviation(both):.1f} ms"
        )
    slope = (medians[-1] - medians[0]) / (counts[-1] - counts[0])
    print(
        f"   {1000 * slope:.1f} µs for each finished trial; {medians[-1]:.0f} ms with "
        f"{counts[-1]:,} (claim: {MOST_SECONDS * 1e3:.0f})"
    )
    return medians[-1] <= MOST_SECONDS * 1e3


def _fill(folder: Path, count: int) -> None:
    """Write a study with finished trials, without waiting for the disk."""

    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", hurry)
    storage = open_storage(database_url(folder))
    study, _ = create_or_load(storage, "run")
    space = distributions(gs.SearchSpace.load("net2net"))
    source = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rng = np.random.default_rng(0)
    for index in range(count):
        params = source.ask(space).params
        about = {
            **{"gain": float(rng.normal(0.0, 0.01)), "index": index, "kept": False, "parent": None},
            **{"seconds": 3.0, "curve": [[step, 0.98, 0.1] for step in range(0, 700, 100)]},
        }
        study.add_trial(
            create_trial(params=params, distributions=space, value=0.98, user_attrs=about)
        )
    event.remove(Engine, "connect", hurry)
    storage.remove_session()
    storage.engine.dispose()


def _asks(folder: Path) -> np.ndarray[Any, Any]:
    """Return seconds of ask and tell, a row a trial, without the first, which reads the study."""
    space = gs.SearchSpace.load("net2net")
    study, _ = create_or_load(open_storage(database_url(folder)), "run")
    study.sampler = GainSampler(
        lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
        distributions(space),
        seed=0,
        gain=gain_of,
    )
    found = []
    for _ in range(N_ASKS + 1):
        began = time.perf_counter()
        trial = study.ask(distributions(space))
        asked = time.perf_counter()
        trial.set_user_attr("gain", 0.0)
        told = time.perf_counter()
        study.tell(trial, 0.98)
        found.append((asked - began, time.perf_counter() - told))
    return np.array(found[1:])


def main() -> int:
    """Print the three parts; return 0 where all claims hold on this machine, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="MNIST; see growsearch run --help")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--steps", type=int, default=80, help="of every brief training")
    parser.add_argument("--part", choices=("run", "growth", "ask"), help="all by default")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"{processor()}; {versions('numpy', 'optuna', 'tensorflow')}")
    parts: dict[str, Callable[[], bool]] = {
        "run": lambda: run(options.data, options.trials, options.steps),
        "growth": growth,
        "ask": ask,
    }
    holds = {name: part() for name, part in parts.items() if options.part in (None, name)}
    for name, each in holds.items():
        print(f"{name}: {'holds' if each else 'FAILS'}")
    return int(not all(holds.values()))


if __name__ == "__main__":
    raise SystemExit(main())
