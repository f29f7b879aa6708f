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

# The filter names the key but not the value, so it finds all three.
for found in client.containers.list(filters={"label": "start.colour"}):
    found.stop(timeout=1)
