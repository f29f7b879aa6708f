import importlib.resources

import docker

client = docker.from_env()
course = {"course": "containers-on-aws"}
app = importlib.resources.files("labs.docker_versus_vms") / "app"
client.images.build(path=str(app), tag="wall-web:1", rm=True)

client.containers.run("wall-web:1", name="wall-web", detach=True)
client.containers.run(
    "debian:bookworm-slim",
    ["sleep", "infinity"],
    name="wall-helper",
    detach=True,
    labels=course,
    network_mode="container:wall-web",
)
