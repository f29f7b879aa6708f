import docker

client = docker.from_env()
# A typing error, found by the shell and not by Docker.
try:
    client.containers.run(
        "debian:bookworm-slim",
        ["sh", "-c", "ecko bonjour"],
        name="start-hello",
        labels={"course": "containers-on-aws"},
    )
except docker.errors.ContainerError as error:
    print(error)
