"""What the tests of ECR share: repositories, images to push, `docker` with a configuration of its own."""

import contextlib
import io
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest
from botocore.exceptions import ClientError

from labs import settings
from labs.cloud.ecr import container

LABELS = {settings.LABEL_KEY: settings.LABEL_VALUE}


def ecr(region: str = settings.REGION) -> Any:
    return boto3.client("ecr", region_name=region)


def host() -> str:
    return f"{settings.GATEWAY_HOST}:{settings.gateway_port()}"


def repository(name: str = "app", *, region: str = settings.REGION, **more: Any) -> dict[str, Any]:
    """A new repository with a name of its own."""
    made = f"{name}-{uuid.uuid4().hex[:8]}"
    return ecr(region).create_repository(repositoryName=made, **more)["repository"]


def error(call: Callable[..., Any], **parameters: Any) -> dict[str, str]:
    """Code and message that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]


def layer(files: dict[str, bytes]) -> bytes:
    """A layer with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def image(files: dict[str, bytes] | None = None, base: str = "scratch") -> str:
    """Builds an image of these files; its id. Each one is new. It has a name, so that it stays until it is removed."""
    client = docker.from_env()
    content = {"id": uuid.uuid4().bytes, **(files or {})}
    folders = "".join(f"COPY {name} /{name}\n" for name in content)
    text = f"FROM {base}\nLABEL course={settings.COURSE}\n{folders}"
    context = io.BytesIO(layer({"Dockerfile": text.encode(), **content}))
    return client.images.build(
        fileobj=context, custom_context=True, tag=f"ecr-test:{uuid.uuid4().hex}", rm=True, forcerm=True
    )[0].id


class Docker:
    """The `docker` command with a configuration of its own, logged in or not."""

    def __init__(self, folder: Path) -> None:
        self._env = {**os.environ, "DOCKER_CONFIG": str(folder)}

    def run(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *words], env=self._env, input=text, capture_output=True, text=True, check=False, timeout=120
        )

    def login(self) -> None:
        password = subprocess.run(
            ["aws", "ecr", "get-login-password"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        done = self.run("login", "-u", "AWS", "--password-stdin", host(), text=password)
        assert done.returncode == 0, done.stderr

    def push(self, image_id: str, name: str) -> subprocess.CompletedProcess[str]:
        """Tags an image with a name, pushes it, and takes the name off again."""
        docker.from_env().images.get(image_id).tag(name)
        try:
            return self.run("push", name)
        finally:
            with contextlib.suppress(docker.errors.ImageNotFound):
                docker.from_env().images.remove(name, noprune=True)

    def must_push(self, image_id: str, name: str) -> str:
        """Pushes; the image's digest."""
        done = self.push(image_id, name)
        assert done.returncode == 0, done.stderr
        return "sha256:" + done.stdout.rpartition("digest: sha256:")[2][:64]


def forget_bytes() -> Iterator[list[str]]:
    """For a fixture that is set up before the local AWS: removes the volumes that are named in the list at the end."""
    names: list[str] = []
    yield names
    for name in names:
        with contextlib.suppress(docker.errors.NotFound):
            docker.from_env().volumes.get(name).remove()


def volume() -> str:
    return container.volume()


def policy(*rules: dict[str, Any]) -> str:
    """A lifecycle policy of these rules: `selection` and `action` given, priorities in their order."""
    numbered = [
        {"rulePriority": number, "description": "of a test" * 9, **rule} for number, rule in enumerate(rules, 1)
    ]
    return json.dumps({"rules": numbered})
