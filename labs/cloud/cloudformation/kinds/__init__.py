"""The resource types: how each is made, changed and removed."""
