"""The network was made without the label."""

from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
client.images.build(path=str(app), tag="dock-names:1", rm=True)

client.networks.create("dock-names")
back = client.containers.run(
    "dock-names:1",
    name="dock-back",
    detach=True,
    network="dock-names",
)
front = client.containers.run(
    "dock-names:1",
    name="dock-front",
    detach=True,
    network="dock-names",
    ports={"8000/tcp": ("127.0.0.1", 8084)},
    environment={"BACKEND": "http://dock-back:8000"},
)
