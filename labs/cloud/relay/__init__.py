"""The relay: a container at 169.254.170.2 through which task containers reach the gateway."""
