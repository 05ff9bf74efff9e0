"""The id of a run whose study lies in a storage with those of other folders.

In such a storage a study is found by its folder's name, and two folders can have the same name. So
a run has a random id, which stands in its study and in a file of its folder.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from optuna.study import Study

from growsearch.atomic import write_atomically
from growsearch.errors import RunError, without_password
from growsearch.study.attributes import RunIdAttribute, TeacherAttribute
from growsearch.study.open import WEIGHTS

FILE = "run-id"
_LONGEST = 64


def claim(study: Study, folder: Path, storage: str) -> None:
    """Check a folder against its study; give an id to a run that has none.

    Raises
    ------
    RunError
        When the study is another folder's.
    """
    check(study, folder, storage)
    if RunIdAttribute.read(study) is None:
        run_id = _of(folder) or uuid.uuid4().hex
        # The folder first: a run that is killed between the two finds an unclaimed study again.
        write_atomically(folder / FILE, run_id.encode())
        RunIdAttribute(value=run_id).write(study)


def check(study: Study, folder: Path, storage: str) -> None:
    """Check a folder against its study; change nothing.

    Raises
    ------
    RunError
        When the study is another folder's.
    """
    stored = RunIdAttribute.read(study)
    # A run of a version without ids has at least weights in its folder, once it has a teacher.
    is_same = (
        stored.value == _of(folder)
        if stored is not None
        else TeacherAttribute.read(study) is None or (folder / WEIGHTS).is_dir()
    )
    if not is_same:
        raise RunError(
            f"{folder}: another run named {study.study_name} is in this storage, "
            f"{without_password(storage)}: expected the folder of that run with its file "
            f"{FILE}, or a folder with another name"
        )


def _of(folder: Path) -> str | None:
    """Return the id that stands in a folder; None where there is none."""
    try:
        with (folder / FILE).open("rb") as file:
            return file.read(_LONGEST).decode(errors="replace").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{folder / FILE}: cannot be read: {error.strerror}") from None
