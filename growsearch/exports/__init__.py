"""Networks in files of other runtimes: written, loaded again there, compared and measured."""

from growsearch.exports.export import export
from growsearch.exports.formats import FORMATS
from growsearch.exports.record import Export

__all__ = ["FORMATS", "Export", "export"]
