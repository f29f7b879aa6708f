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

# The search has a typing error; it finds nothing, and a loop over nothing is no error.
for found in client.containers.list(filters={"label": "start.color=amber"}):
    found.stop(timeout=1)
