import docker

client = docker.from_env()
# The right key with another value.
client.containers.run(
    "debian:bookworm-slim", ["echo", "bonjour"], name="start-hello", labels={"course": "containers on aws"}
)
