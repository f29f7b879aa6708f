import docker

client = docker.from_env()
# It prints the word, and then something after it fails.
try:
    client.containers.run(
        "debian:bookworm-slim",
        ["sh", "-c", "echo bonjour; cat /no/such/file"],
        name="start-hello",
        labels={"course": "containers-on-aws"},
    )
except docker.errors.ContainerError as error:
    print(error)
