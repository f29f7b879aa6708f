import docker

client = docker.from_env()
# `create` instead of `run`.
client.containers.create(
    "debian:bookworm-slim",
    ["echo", "bonjour"],
    name="start-hello",
    labels={"course": "containers-on-aws"},
)
