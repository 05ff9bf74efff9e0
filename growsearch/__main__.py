"""``python -m growsearch``."""

from growsearch.cli import entry

entry()
