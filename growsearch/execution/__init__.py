"""The execution of jobs: the protocol of executors, and the places where jobs run.

An executor carries out calls and knows nothing of the search; it passes
``growsearch.testing.ExecutorContract``.
"""

from growsearch.execution.executor import Executor, NamesWhatLacks, Stops, WorkerLostError
from growsearch.execution.in_process import InProcessExecutor

__all__ = ["Executor", "InProcessExecutor", "NamesWhatLacks", "Stops", "WorkerLostError"]
