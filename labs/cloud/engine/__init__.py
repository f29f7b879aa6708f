"""Docker, for the services of ours: the client, labels, networks, images, the stream of the engine's events."""
