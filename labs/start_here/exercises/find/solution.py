import docker

client = docker.from_env()

# Names can be taken only once, so an earlier try goes first.
ours = client.containers.list(all=True, filters={"label": ["course=containers-on-aws", "start.colour"]})
for earlier in ours:
    earlier.remove(force=True)

for colour in ("red", "amber", "green"):
    client.containers.run(
        "debian:bookworm-slim",
        ["sleep", "infinity"],
        name=f"start-{colour}",
        labels={"course": "containers-on-aws", "start.colour": colour},
        detach=True,
    )

for amber in client.containers.list(filters={"label": ["course=containers-on-aws", "start.colour=amber"]}):
    amber.stop(timeout=1)
