"""The command line: parse, call the library, print."""

from growsearch.cli.app import entry, main

__all__ = ["entry", "main"]
