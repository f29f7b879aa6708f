"""An init process hides the fault for one container; the image is as before, and the server hears nothing."""

import time
from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"

client.images.build(path=str(app), dockerfile="Dockerfile.script", tag="dock-stop:1", rm=True)

container = client.containers.run("dock-stop:1", name="dock-stop", detach=True, init=True)
while b"listening" not in container.logs():
    time.sleep(0.1)
container.stop()
