"""A folder of this machine instead of a volume."""

from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
client.images.build(path=str(app), tag="dock-keep:1", rm=True)

client.volumes.create("dock-keep", labels={"course": "containers-on-aws"})
client.containers.run(
    "dock-keep:1",
    name="dock-keep",
    detach=True,
    ports={"8000/tcp": ("127.0.0.1", 8083)},
    volumes={str(Path.cwd()): {"bind": "/data"}},
)
