"""The search space: what a search may try, read from a TOML file and checked."""

from growsearch.space.files import read_shipped
from growsearch.space.override import Override
from growsearch.space.space import SearchSpace

__all__ = ["Override", "SearchSpace", "read_shipped"]
