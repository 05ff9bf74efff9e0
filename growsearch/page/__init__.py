"""The report of a run: one HTML file with all that it found, which needs no network.

Text and drawings are HTML and SVG; figures that move are plotly's, whose script is in the file.
"""

from growsearch.page.report import render, write_report

__all__ = ["render", "write_report"]
