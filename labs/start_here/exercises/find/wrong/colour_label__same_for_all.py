import docker

client = docker.from_env()
# Copied and pasted: the label keeps the first colour.
for colour in ("red", "amber", "green"):
    client.containers.run(
        "debian:bookworm-slim",
        ["sleep", "infinity"],
        name=f"start-{colour}",
        labels={"course": "containers-on-aws", "start.colour": "amber"},
        detach=True,
    )
client.containers.get("start-amber").stop(timeout=1)
