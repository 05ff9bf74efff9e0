"""``python -m growsearch``."""

from growsearch.cli.app import entry

entry()
