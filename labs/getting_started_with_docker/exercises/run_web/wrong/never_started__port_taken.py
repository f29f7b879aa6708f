"""Another container holds the port already; the error was overlooked."""

from pathlib import Path

import docker
from docker.errors import APIError

import labs

client = docker.from_env()
app = Path(labs.__file__).parent / "getting_started_with_docker" / "app"
client.images.build(path=str(app), tag="dock-run:1", rm=True)

client.containers.run("dock-run:1", name="dock-run-other", detach=True, ports={"8000/tcp": ("127.0.0.1", 8082)})
try:
    client.containers.run(
        "dock-run:1",
        name="dock-run",
        detach=True,
        ports={"8000/tcp": ("127.0.0.1", 8082)},
        environment={"APP_VERSION": "2.0"},
    )
except APIError as problem:
    print(problem.explanation)
