"""Contracts that trainers and executors are held to, for tests of one's own; they need pytest."""

try:
    import pytest
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "growsearch.testing: expected pytest, which runs its contracts: pip install pytest"
    ) from None

# Before their first import, so that failed asserts show their values.
pytest.register_assert_rewrite(
    "growsearch.testing.trainer_contract", "growsearch.testing.executor_contract"
)

from growsearch.testing.executor_contract import (  # noqa: E402
    ExecutorContract,
    ProcessExecutorContract,
    StoppingExecutorContract,
)
from growsearch.testing.trainer_contract import TrainerContract  # noqa: E402

__all__ = [
    "ExecutorContract",
    "ProcessExecutorContract",
    "StoppingExecutorContract",
    "TrainerContract",
]
