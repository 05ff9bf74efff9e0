"""Tables, plots and lineage: what a run or a reproduction found; changes nothing."""
