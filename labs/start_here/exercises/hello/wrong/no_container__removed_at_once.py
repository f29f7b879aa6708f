import docker

client = docker.from_env()
# The habit of cleaning up at once: nothing is left to look at.
client.containers.run(
    "debian:bookworm-slim",
    ["echo", "bonjour"],
    name="start-hello",
    labels={"course": "containers-on-aws"},
    remove=True,
)
