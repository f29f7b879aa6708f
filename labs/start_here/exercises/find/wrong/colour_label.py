import docker

client = docker.from_env()
# The colour is in the name only.
for colour in ("red", "amber", "green"):
    client.containers.run(
        "debian:bookworm-slim",
        ["sleep", "infinity"],
        name=f"start-{colour}",
        labels={"course": "containers-on-aws"},
        detach=True,
    )
client.containers.get("start-amber").stop(timeout=1)
