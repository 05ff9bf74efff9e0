"""Evidence: what growing is worth, from paired comparisons of candidates with control arms."""
