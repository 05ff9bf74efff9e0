"""What a network is: values only, nothing trains here."""

from growsearch.networks.architecture import INPUT, Architecture, Node
from growsearch.networks.network import Network, Slots

__all__ = ["INPUT", "Architecture", "Network", "Node", "Slots"]
