"""The five experiments of the original Net2Net repository."""
