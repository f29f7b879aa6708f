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

# Paused: frozen in place, not stopped.
client.containers.get("start-amber").pause()
