"""A container that the engine starts again, and the proof."""

import time
from pathlib import Path

import docker

import labs

client = docker.from_env()
shop = Path(labs.__file__).parent / "what_docker_is" / "shop"
client.images.build(path=str(shop), tag="box-keep:1", rm=True)
keep = client.containers.run(
    "box-keep:1",
    name="box-keep",
    detach=True,
    environment={"SERVICE": "stock"},
    restart_policy={"Name": "unless-stopped"},
)
while b"listens" not in keep.logs():
    time.sleep(0.05)
keep.exec_run(["sh", "-c", "kill 1"])
