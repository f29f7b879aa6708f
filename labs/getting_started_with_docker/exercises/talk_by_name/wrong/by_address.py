"""The address of today instead of the name."""

from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
client.images.build(path=str(app), tag="dock-names:1", rm=True)

client.networks.create("dock-names", labels={"course": "containers-on-aws"})
back = client.containers.run(
    "dock-names:1",
    name="dock-back",
    detach=True,
    network="dock-names",
)
back.reload()
address = back.attrs["NetworkSettings"]["Networks"]["dock-names"]["IPAddress"]
front = client.containers.run(
    "dock-names:1",
    name="dock-front",
    detach=True,
    network="dock-names",
    ports={"8000/tcp": ("127.0.0.1", 8084)},
    environment={"BACKEND": f"http://{address}:8000"},
)
