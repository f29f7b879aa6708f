import docker

client = docker.from_env()
# The amber one gets a command that is over at once: it looks stopped, but nobody stopped it.
for colour in ("red", "amber", "green"):
    container = client.containers.run(
        "debian:bookworm-slim",
        ["true"] if colour == "amber" else ["sleep", "infinity"],
        name=f"start-{colour}",
        labels={"course": "containers-on-aws", "start.colour": colour},
        detach=True,
    )
    if colour == "amber":
        container.wait()
