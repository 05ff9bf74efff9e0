"""The search by a trunk: one network that is trained on while growths of it are tried beside it."""
