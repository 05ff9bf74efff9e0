"""Networks as values: architectures, weights, slots, files; nothing trains here."""

from growsearch.networks.architecture import Architecture
from growsearch.networks.network import Network, Slots
from growsearch.networks.node import INPUT, Node

__all__ = ["INPUT", "Architecture", "Network", "Node", "Slots"]
