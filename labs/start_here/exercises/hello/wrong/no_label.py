import docker

client = docker.from_env()
# The label is forgotten.
client.containers.run("debian:bookworm-slim", ["echo", "bonjour"], name="start-hello")
