"""The server is started directly, and the preparation is gone."""

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
    file = Path(folder, "Dockerfile.script")
    file.write_text(file.read_text().replace('["sh", "start.sh"]', '["python3", "server.py"]'))
    client.images.build(path=folder, dockerfile="Dockerfile.script", tag="dock-stop:1", rm=True)

container = client.containers.run("dock-stop:1", name="dock-stop", detach=True)
while b"listening" not in container.logs():
    time.sleep(0.1)
container.stop()
