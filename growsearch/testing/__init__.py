"""Contracts that trainers are held to, for tests of one's own; they run in pytest."""

try:
    import pytest
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "growsearch.testing: expected pytest, which runs its contracts: pip install pytest"
    ) from None

pytest.register_assert_rewrite("growsearch.testing.trainer_contract")  # before its first import

from growsearch.testing.trainer_contract import TrainerContract  # noqa: E402

__all__ = ["TrainerContract"]
