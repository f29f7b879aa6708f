import importlib.resources

import docker

client = docker.from_env()
app = importlib.resources.files("labs.docker_versus_vms") / "app"
client.images.build(path=str(app), tag="wall-web:1", rm=True)

client.containers.run(
    "wall-web:1",
    name="wall-tight",
    detach=True,
    user="1000",
    cap_drop=["ALL"],
    read_only=True,
    security_opt=["no-new-privileges"],
    ports={"8000/tcp": ("127.0.0.1", 8086)},
)
