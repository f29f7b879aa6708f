"""An image built from a git repository of this machine. Nothing of the repository runs outside a container.

On AWS the repository is at GitHub or Bitbucket. Here its URL is `file:///<folder>`.
https://docs.aws.amazon.com/apprunner/latest/dg/service-source-code.html
"""

import io
import shlex
import subprocess
import tarfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from docker.errors import BuildError, DockerException

from labs import settings
from labs.cloud.app_runner import configuration_file, front
from labs.cloud.app_runner.configuration_file import Plan
from labs.cloud.engine import docker, labels

# What Debian 12 has: Python 3.11 and Node.js 18.
PACKAGES = {
    "PYTHON_3": "python3 python3-pip",
    "PYTHON_311": "python3 python3-pip",
    "NODEJS_18": "nodejs npm",
}
ROLE = "app-runner-image"
GIT_SECONDS = 60


class CannotBuildError(Exception):
    """There is no image. The text says why."""


def build(service: Mapping[str, Any]) -> dict[str, Any]:
    """Builds the newest commit of a service's branch. For a thread.

    Returns:
        `image`: Docker's id; `digest`: the commit; `_code`: how it is run.

    Raises:
        CannotBuildError: it cannot be built.
    """
    code = service["SourceConfiguration"]["CodeRepository"]
    folder = path(code["RepositoryUrl"])
    commit = _git(folder, "rev-parse", "--verify", f"refs/heads/{code['SourceCodeVersion']['Value']}^{{commit}}")
    commit = commit.decode().strip()
    directory = (code.get("SourceDirectory") or "/").strip("/")
    tree = _git(folder, "archive", "--format=tar", "--prefix=source/", f"{commit}:{directory}" if directory else commit)
    plan = _plan(code, tree)
    if plan.runtime not in PACKAGES:
        raise CannotBuildError(f"The runtime {plan.runtime} is not here. There are {', '.join(PACKAGES)}.")
    tag = f"{settings.COURSE}/app-runner-{service['ServiceId'][:12]}:{commit[:12]}"
    marks = labels.labels(ROLE) | {front.SERVICE_KEY: service["ServiceArn"]}
    try:
        built, _ = docker.client().images.build(
            fileobj=_context(plan, tree), custom_context=True, tag=tag, labels=marks, rm=True, forcerm=True
        )
    except BuildError as problem:
        raise CannotBuildError(f"Failed to build your application source code. Reason: {problem}") from problem
    except DockerException as problem:
        raise CannotBuildError(f"The image could not be built: {problem}") from problem
    return {"image": built.id, "digest": commit, "_code": plan.run}


def remove(arn: str) -> None:
    """Removes the images that were built for a service. For a thread."""
    wanted = [*labels.ours(ROLE), f"{front.SERVICE_KEY}={arn}"]
    for image in docker.client().images.list(filters={"label": wanted}):
        docker.client().images.remove(image.id, force=True)


def path(url: str) -> str | None:
    """The folder that a repository's URL names; None if it names none of this machine."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" and not parts.netloc and parts.path else None


def _plan(code: Mapping[str, Any], tree: bytes) -> Plan:
    configuration = code.get("CodeConfiguration") or {}
    if configuration.get("ConfigurationSource") == "API":
        return configuration_file.of_values(configuration["CodeConfigurationValues"])
    try:
        with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
            file = archive.extractfile(f"source/{configuration_file.NAME}")
            return configuration_file.read(file.read().decode() if file else "")
    except KeyError as problem:
        raise CannotBuildError(f"The repository has no {configuration_file.NAME}.") from problem
    except configuration_file.ConfigurationError as problem:
        raise CannotBuildError(str(problem)) from problem


def _context(plan: Plan, tree: bytes) -> io.BytesIO:
    """What Docker builds from: the source, a script of the build's commands, and a Dockerfile."""
    variables = [f"export {shlex.quote(name)}={shlex.quote(value)}" for name, value in plan.build_variables.items()]
    script = "\n".join(["set -e", *variables, *plan.commands, ""])
    dockerfile = (
        f"FROM {settings.BASE_IMAGE}\n"
        f"RUN apt-get update && apt-get install -y --no-install-recommends {PACKAGES[plan.runtime]} "
        "&& rm -rf /var/lib/apt/lists/*\n"
        "ENV PIP_BREAK_SYSTEM_PACKAGES=1\n"
        "WORKDIR /app\n"
        "COPY source/ /app/\n"
        "COPY build.sh /build.sh\n"
        'RUN ["sh", "/build.sh"]\n'
    )
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as made:
        with tarfile.open(fileobj=io.BytesIO(tree)) as source:
            for member in source:
                made.addfile(member, source.extractfile(member) if member.isfile() else None)
        for name, text in (("Dockerfile", dockerfile), ("build.sh", script)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            made.addfile(entry, io.BytesIO(text.encode()))
    content.seek(0)
    return content


def _git(folder: str | None, *arguments: str) -> bytes:
    """What git says. It is told to start no program that the repository names."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", f"safe.directory={folder}", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise CannotBuildError(f"git could not be run: {problem}") from problem
    if done.returncode:
        raise CannotBuildError(f"Failed to read your source repository. Reason: {done.stderr.decode(errors='replace')}")
    return done.stdout
