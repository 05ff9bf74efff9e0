"""Reports: runs, evidence and reproductions as lines, tables, plots and progress bars."""
