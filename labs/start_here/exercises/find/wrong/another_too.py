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

# Two of them, to be on the safe side.
for colour in ("amber", "red"):
    client.containers.get(f"start-{colour}").stop(timeout=1)
