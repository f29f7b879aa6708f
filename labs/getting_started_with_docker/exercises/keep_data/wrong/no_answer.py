"""Nothing is published, so no visit arrives."""

from pathlib import Path

import docker

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
client.images.build(path=str(app), tag="dock-keep:1", rm=True)

client.volumes.create("dock-keep", labels={"course": "containers-on-aws"})


def start():
    return client.containers.run(
        "dock-keep:1",
        name="dock-keep",
        detach=True,
        volumes={"dock-keep": {"bind": "/data"}},
    )


start()
