import docker

client = docker.from_env()
# No command that lasts: the shell of the image has nothing to do and ends.
for colour in ("red", "amber", "green"):
    container = client.containers.run(
        "debian:bookworm-slim",
        name=f"start-{colour}",
        labels={"course": "containers-on-aws", "start.colour": colour},
        detach=True,
    )
    container.wait()
