import docker

client = docker.from_env()
# Some output, but not one word.
client.containers.run(
    "debian:bookworm-slim",
    ["echo", "bonjour tout le monde"],
    name="start-hello",
    labels={"course": "containers-on-aws"},
)
