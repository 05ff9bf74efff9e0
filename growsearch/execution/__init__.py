"""Executors of jobs: the protocol, and the executor of this process.

An executor carries out jobs and knows nothing of the search; it passes
``growsearch.testing.ExecutorContract``.
"""

from growsearch.execution.executor import Executor, ExecutorFactory
from growsearch.execution.in_process import InProcessExecutor

__all__ = ["Executor", "ExecutorFactory", "InProcessExecutor"]
