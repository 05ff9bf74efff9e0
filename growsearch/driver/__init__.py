"""The loop of a search, and what decides in it."""
