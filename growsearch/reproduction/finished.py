"""The finished trainings of a reproduction, and their file: whole seeds, and parts of others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from growsearch.atomic import write_atomically
from growsearch.errors import InvalidInputError, RunError, disk_error
from growsearch.growth import Treatment
from growsearch.reproduction.experiments import EXPERIMENTS, TRAININGS, Experiment
from growsearch.reproduction.job import Trained, name_of
from growsearch.reproduction.result import Repeat, Reproduction, check_curve

FILE = "reproduction.json"
_UNFINISHED = "unfinished"  # the key of the trainings of seeds that are not whole
_TEACHER = EXPERIMENTS[0].name


@dataclass(frozen=True)
class Finished:
    """The finished trainings of a reproduction.

    The file of a value without trainings is that of its reproduction. Earlier versions read the
    file of any, and find the whole seeds in it.

    Parameters
    ----------
    reproduction : Reproduction
        The seeds of which every training is finished.
    trainings : tuple of Trained
        Those of other seeds.

    Raises
    ------
    InvalidInputError
        When a training is there twice, or has not exactly one accuracy a step.
    """

    reproduction: Reproduction
    trainings: tuple[Trained, ...] = ()

    def __post_init__(self) -> None:
        known = {(e.name, slots) for e, slots in TRAININGS}
        for each in self.trainings:
            check_curve(each.seed, each.curve, self.reproduction.steps)
            if (each.curve.experiment, each.curve.slots) not in known:
                raise InvalidInputError(f"{each.name}: expected one of the experiments")
        names = [each.name for each in self.trainings]
        if len(set(names)) != len(names):
            raise InvalidInputError(f"trainings: expected each once, got {names}")
        whole = {each.seed for each in self.trainings}.intersection(self.reproduction.seeds)
        if whole:
            raise InvalidInputError(f"trainings: expected none of whole seeds, got {whole}")

    @property
    def teachers(self) -> dict[int, str]:
        """The SHA-256 of the trained teacher of each seed that has one and is not whole."""
        return {
            each.seed: each.teacher for each in self.trainings if each.curve.experiment == _TEACHER
        }

    def missing(self, seed: int) -> tuple[tuple[Experiment, Treatment], ...]:
        """Return the trainings that a seed lacks, in order."""
        if seed in self.reproduction.seeds:
            return ()
        names = {each.name for each in self.trainings}
        return tuple(
            (each, slots)
            for each, slots in TRAININGS
            if name_of(seed, each.name, slots) not in names
        )

    def adding(self, trained: Trained) -> Finished:
        """Return the value with one training more; the last of a seed makes the seed whole.

        Of a seed all trainings start from one teacher. Those that started from another are dropped:
        its file was lost, and it was trained again on another machine.
        """
        others = tuple(each for each in self.trainings if each.seed != trained.seed)
        same = (
            *(
                each
                for each in self.trainings
                if (each.seed, each.teacher) == (trained.seed, trained.teacher)
            ),
            trained,
        )
        added = replace(self, trainings=(*others, *same))
        if added.missing(trained.seed):
            return added
        repeats = (*self.reproduction.repeats, _repeat(trained.seed, same))
        ordered = tuple(sorted(repeats, key=lambda repeat: repeat.seed))
        return Finished(replace(self.reproduction, repeats=ordered), others)

    def without_teacher(self, seed: int) -> Finished:
        """Return the value without the training of a seed's teacher, whose network is lost."""
        kept = (
            each
            for each in self.trainings
            if (each.seed, each.curve.experiment) != (seed, _TEACHER)
        )
        return replace(self, trainings=tuple(kept))

    def to_json(self) -> dict[str, Any]:
        """Return what the file holds."""
        value = self.reproduction.to_json()
        if self.trainings:
            value[_UNFINISHED] = [asdict(each) for each in self.trainings]
        return value

    def write(self, path: Path) -> None:
        """Write the file.

        Raises
        ------
        RunError
            When the disk is full or fails.
        """
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        try:
            write_atomically(path, text.encode())
        except OSError as error:
            raise disk_error(error, path.parent) from None

    @classmethod
    def read(cls, path: Path, now: Reproduction) -> Finished:
        """Read the file of the same reproduction as now; what ``now`` has where there is none.

        Raises
        ------
        RunError
            When the file is of another reproduction, or damaged.
        """
        remedy = "name another folder, or move it away"
        try:
            text = path.read_bytes()
            then = Reproduction.from_json(text)
            trainings = _unfinished(text)
            for what, old, new in (
                ("iterations", then.iterations, now.iterations),
                ("evaluations", then.steps, now.steps),
                ("images", then.fingerprint[:12], now.fingerprint[:12]),
            ):
                if old != new:
                    raise RunError(
                        f"{path}: has another reproduction: {what} {old}, now {new}: {remedy}"
                    )
            return cls(replace(now, repeats=then.repeats), trainings)
        except (FileNotFoundError, NotADirectoryError):
            return cls(now)
        except (InvalidInputError, OSError) as error:
            raise RunError(f"{path}: cannot be continued: {error}: {remedy}") from None


def _repeat(seed: int, trainings: tuple[Trained, ...]) -> Repeat:
    """Return the repeat of a seed that has all its trainings."""
    by_name = {each.name: each for each in trainings}
    ordered = [by_name[name_of(seed, each.name, slots)] for each, slots in TRAININGS]
    return Repeat(
        seed,
        tuple(each.curve for each in ordered),
        sum(each.seconds for each in ordered),
        " and ".join(dict.fromkeys(each.environment for each in ordered)),
    )


def _unfinished(text: bytes) -> tuple[Trained, ...]:
    """Read the trainings of seeds that are not whole, as untrusted input."""
    from pydantic import TypeAdapter, ValidationError

    try:
        found = json.loads(text).get(_UNFINISHED, [])
        return TypeAdapter(tuple[Trained, ...]).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (_UNFINISHED, *first["loc"])))
        raise InvalidInputError(f"a reproduction: {where}: {first['msg']}") from None
