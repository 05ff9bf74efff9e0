"""The reproduction of the five experiments of the original Net2Net repository."""
