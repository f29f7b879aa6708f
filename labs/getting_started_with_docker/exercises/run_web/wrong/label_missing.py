"""A second label of the same key overrides the first, and the container inherits it."""

import shutil
import tempfile
from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(app, folder, dirs_exist_ok=True)
    with Path(folder, "Dockerfile").open("a") as file:
        file.write("LABEL course=docker\n")
    client.images.build(path=folder, tag="dock-run:1", rm=True)

client.containers.run(
    "dock-run:1",
    name="dock-run",
    detach=True,
    ports={"8000/tcp": ("127.0.0.1", 8082)},
    environment={"APP_VERSION": "2.0"},
)
