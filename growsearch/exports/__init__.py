"""Networks in files of other runtimes: written, loaded again there, compared and measured."""

from growsearch.exports.formats import FORMATS
from growsearch.exports.record import Export
from growsearch.exports.run import export

__all__ = ["FORMATS", "Export", "export"]
