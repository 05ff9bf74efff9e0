"""The identity of a run whose study lies in a storage with those of other folders.

In such a storage a study is found by its folder's name, and two folders can have the same name. So
a run has a random identity, which stands in its study and in its folder.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from optuna.study import Study

from growsearch.atomic import write_atomically
from growsearch.errors import RunError, without_password
from growsearch.study.attributes import TeacherAttribute
from growsearch.study.open import WEIGHTS

IDENTITY = "run-id"  # the file, and the study's attribute
_LONGEST = 64


def claim(study: Study, folder: Path, storage: str) -> None:
    """Check a folder against its study; give an identity to a run that has none.

    Raises
    ------
    RunError
        When the study is another folder's.
    """
    check(study, folder, storage)
    if study.user_attrs.get(IDENTITY) is None:
        identity = _of(folder) or uuid.uuid4().hex
        # The folder first: a run that is killed between the two finds an unclaimed study again.
        write_atomically(folder / IDENTITY, identity.encode())
        study.set_user_attr(IDENTITY, identity)


def check(study: Study, folder: Path, storage: str) -> None:
    """Check a folder against its study; change nothing.

    Raises
    ------
    RunError
        When the study is another folder's.
    """
    about = study.user_attrs
    identity = about.get(IDENTITY)
    # A run from before identities has at least weights in its folder, once it has a teacher.
    is_same = (
        identity == _of(folder)
        if identity is not None
        else TeacherAttribute.attribute not in about or (folder / WEIGHTS).is_dir()
    )
    if not is_same:
        raise RunError(
            f"{folder}: another run named {study.study_name} is in this storage, "
            f"{without_password(storage)}, and its folder is not this one: expected its own "
            "folder as it was, or one of another name"
        )


def _of(folder: Path) -> str | None:
    try:
        with (folder / IDENTITY).open("rb") as file:
            return file.read(_LONGEST).decode(errors="replace").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{folder / IDENTITY}: cannot be read: {error.strerror}") from None
