"""The image as it is: a shell is process 1, and it passes no signal on."""

import time
from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"

client.images.build(path=str(app), dockerfile="Dockerfile.script", tag="dock-stop:1", rm=True)

container = client.containers.run("dock-stop:1", name="dock-stop", detach=True)
while b"listening" not in container.logs():
    time.sleep(0.1)
container.stop(timeout=1)
