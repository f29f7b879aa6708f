"""The volume comes into being on the side, at the container's start: without a label."""

import time
from pathlib import Path
from urllib.request import urlopen

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
client.images.build(path=str(app), tag="dock-keep:1", rm=True)


def start():
    return client.containers.run(
        "dock-keep:1",
        name="dock-keep",
        detach=True,
        ports={"8000/tcp": ("127.0.0.1", 8083)},
        volumes={"dock-keep": {"bind": "/data"}},
    )


def visit():
    for _ in range(50):  # a new container needs a moment until it answers
        try:
            return urlopen("http://127.0.0.1:8083/").read()
        except OSError:
            time.sleep(0.1)
    raise SystemExit("nobody answers at port 8083")


first = start()
for _ in range(3):
    visit()
first.remove(force=True)
start()
