"""Upkeep of a run: a check of its promises, and the disk space that it does not need."""
