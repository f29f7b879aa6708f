import docker

client = docker.from_env()
# The whole command in one list item: Docker looks for a program named 'echo bonjour'.
try:
    client.containers.run(
        "debian:bookworm-slim",
        ["echo bonjour"],
        name="start-hello",
        labels={"course": "containers-on-aws"},
    )
except docker.errors.APIError as error:
    print(error)
