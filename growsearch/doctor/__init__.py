"""The examination of an installation: what is there, what is wrong, and what to do."""

from growsearch.doctor.examination import Examination, examine
from growsearch.doctor.finding import Finding

__all__ = ["Examination", "Finding", "examine"]
