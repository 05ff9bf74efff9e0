"""The search space: what a search may try, read from a TOML file and checked."""

from growsearch.space.space import SearchSpace, read_shipped

__all__ = ["SearchSpace", "read_shipped"]
