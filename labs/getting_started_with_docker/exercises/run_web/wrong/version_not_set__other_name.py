"""A variable that nobody reads."""

from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
client.images.build(path=str(app), tag="dock-run:1", rm=True)

client.containers.run(
    "dock-run:1",
    name="dock-run",
    detach=True,
    ports={"8000/tcp": ("127.0.0.1", 8082)},
    environment={"VERSION": "2.0"},
)
