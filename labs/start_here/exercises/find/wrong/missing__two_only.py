import docker

client = docker.from_env()
# One of the three is forgotten.
for colour in ("red", "amber"):
    client.containers.run(
        "debian:bookworm-slim",
        ["sleep", "infinity"],
        name=f"start-{colour}",
        labels={"course": "containers-on-aws", "start.colour": colour},
        detach=True,
    )
client.containers.get("start-amber").stop(timeout=1)
