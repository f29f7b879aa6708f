"""The version is built into the image instead of given at the start."""

import shutil
import tempfile
from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(app, folder, dirs_exist_ok=True)
    file = Path(folder, "Dockerfile")
    file.write_text(file.read_text().replace("APP_VERSION=1.0", "APP_VERSION=2.0"))
    client.images.build(path=folder, tag="dock-run:1", rm=True)

client.containers.run(
    "dock-run:1",
    name="dock-run",
    detach=True,
    ports={"8000/tcp": ("127.0.0.1", 8082)},
)
