"""App Runner: services from an image or from source code, with a URL, that scale with their requests."""
