"""Two images from scratch, each for its processor, and the fitting one run to its end."""

from pathlib import Path

import docker

from labs.what_docker_is import tiny

client = docker.from_env()


def build(machine):
    folder = Path(machine)
    folder.mkdir(exist_ok=True)
    hello = folder / "hello"
    hello.write_bytes(tiny.program(machine, f"hello from {machine}\n"))
    hello.chmod(0o755)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY hello /hello\nCMD ["/hello"]\n')
    labels = {"course": "containers-on-aws"}
    client.images.build(
        path=str(folder),
        tag=f"box-hello:{machine}",
        platform=f"linux/{machine}",
        labels=labels,
        rm=True,
        nocache=True,  # the cache does not ask for which platform a step was made
    )


build("amd64")
build("arm64")
fits = {"x86_64": "amd64", "aarch64": "arm64"}[client.info()["Architecture"]]
client.containers.run(f"box-hello:{fits}", name="box-hello", detach=True).wait()
