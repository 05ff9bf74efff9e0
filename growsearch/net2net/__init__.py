"""Net2Net on plain arrays: numpy and scipy only, for any deep-learning library's weights."""

from growsearch.net2net.arrays import copy_axis, split_axis
from growsearch.net2net.deeper import deeper, random_init
from growsearch.net2net.kernel import enlarge_kernel, wider_depthwise
from growsearch.net2net.norm import deeper_norm, stretched_norm, wider_norm
from growsearch.net2net.slots import wider_slots
from growsearch.net2net.units import Units
from growsearch.net2net.verify import verify_deeper, verify_wider
from growsearch.net2net.wider import random_pad, wider

__all__ = [
    "Units",
    "copy_axis",
    "deeper",
    "deeper_norm",
    "enlarge_kernel",
    "random_init",
    "random_pad",
    "split_axis",
    "stretched_norm",
    "verify_deeper",
    "verify_wider",
    "wider",
    "wider_depthwise",
    "wider_norm",
    "wider_slots",
]
