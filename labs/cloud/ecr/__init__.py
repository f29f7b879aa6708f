"""Elastic Container Registry: the API, and the Distribution registry, which keeps the bytes."""
