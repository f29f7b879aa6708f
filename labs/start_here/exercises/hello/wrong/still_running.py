import docker

client = docker.from_env()
# Kept alive as one keeps a server alive.
client.containers.run(
    "debian:bookworm-slim",
    ["sh", "-c", "echo bonjour; sleep infinity"],
    name="start-hello",
    labels={"course": "containers-on-aws"},
    detach=True,
)
