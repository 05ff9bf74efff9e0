"""The search space: what a search may try, read from a TOML file and checked."""

from growsearch.space.files import ALIASES, AUTO, alias_notice, read_shipped
from growsearch.space.override import Override
from growsearch.space.space import SearchSpace

__all__ = ["ALIASES", "AUTO", "Override", "SearchSpace", "alias_notice", "read_shipped"]
