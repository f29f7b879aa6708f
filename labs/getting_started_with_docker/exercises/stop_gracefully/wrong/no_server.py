"""A typing error in the mended script."""

import shutil
import tempfile
from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"

with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(app, folder, dirs_exist_ok=True)
    script = Path(folder, "start.sh")
    script.write_text(script.read_text().replace("python3 server.py", "exec python3 sever.py"), newline="\n")
    client.images.build(path=folder, dockerfile="Dockerfile.script", tag="dock-stop:1", rm=True)

client.containers.run("dock-stop:1", name="dock-stop", detach=True)
