import docker

client = docker.from_env()
program = 'echo "cannot read /data/$(hostname).csv" >&2; exit 3'
# Without `sh -c` the program's whole text is taken for the name of a program.
try:
    client.containers.run(
        "debian:bookworm-slim",
        [program],
        name="start-report",
        labels={"course": "containers-on-aws"},
        detach=True,
    )
except docker.errors.APIError as error:
    print(error)
