"""The execution of jobs: the protocol of executors, and the executor of this process.

An executor carries out jobs and knows nothing of the search; it passes
``growsearch.testing.ExecutorContract``.
"""

from growsearch.execution.executor import Executor, ExecutorFactory
from growsearch.execution.in_process import InProcessExecutor

# Name -> executor, for ``growsearch.search(executor=...)``.
EXECUTORS: dict[str, ExecutorFactory] = {"in_process": InProcessExecutor}

__all__ = ["EXECUTORS", "Executor", "ExecutorFactory", "InProcessExecutor"]
