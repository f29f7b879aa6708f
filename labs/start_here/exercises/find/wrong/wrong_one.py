import docker

client = docker.from_env()
for colour in ("red", "amber", "green"):
    client.containers.run(
        "debian:bookworm-slim",
        ["sleep", "infinity"],
        name=f"start-{colour}",
        labels={"course": "containers-on-aws", "start.colour": colour},
        detach=True,
    )

# The first of the list, without looking at its label.
client.containers.list(filters={"name": "start-green"})[0].stop(timeout=1)
