"""A second label of the same key: the later one wins."""

import shutil
import tempfile
import time
from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"

with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(app, folder, dirs_exist_ok=True)
    script = Path(folder, "start.sh")
    script.write_text(script.read_text().replace("python3 server.py", "exec python3 server.py"), newline="\n")
    with Path(folder, "Dockerfile.script").open("a") as file:
        file.write("LABEL course=docker\n")
    client.images.build(path=folder, dockerfile="Dockerfile.script", tag="dock-stop:1", rm=True)

container = client.containers.run("dock-stop:1", name="dock-stop", detach=True)
while b"listening" not in container.logs():
    time.sleep(0.1)
container.stop()
