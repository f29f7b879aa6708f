import docker

client = docker.from_env()
# `sh -c` takes one string: here the word becomes an argument of the shell, and echo prints an empty line.
client.containers.run(
    "debian:bookworm-slim",
    ["sh", "-c", "echo", "bonjour"],
    name="start-hello",
    labels={"course": "containers-on-aws"},
)
