"""App Runner's services from source code: a git repository of this machine is built as it says, and runs."""

import subprocess
from pathlib import Path

import docker
from app_runner_lab import client, get, last_operation, service, settled

CONFIGURATION = """\
version: 1.0
runtime: python311
build:
  commands:
    build:
      - mkdir out && echo "built by $WHO" > out/index.html
  env:
    - name: WHO
      value: "the build"
run:
  command: python3 -m http.server "$PORT" --directory out
  network:
    port: 8000
"""


def test_a_repository_is_built_and_runs_and_its_next_commit_is_deployed(local_aws: Path, tmp_path: Path) -> None:
    _commit(tmp_path, CONFIGURATION)
    arn = client().create_connection(ConnectionName="here", ProviderType="GITHUB")["Connection"]["ConnectionArn"]
    code = {"RepositoryUrl": tmp_path.as_uri(), "SourceCodeVersion": {"Type": "BRANCH", "Value": "main"}}
    source = {"CodeRepository": code, "AuthenticationConfiguration": {"ConnectionArn": arn}}
    with service("code", "", SourceConfiguration=source) as made:
        url, own = made["ServiceUrl"], made["ServiceArn"]
        assert get(url) == (200, "built by the build\n")
        _commit(tmp_path, CONFIGURATION.replace("built by", "built again by"))
        client().start_deployment(ServiceArn=own)
        assert settled(own) == "RUNNING"
        assert get(url) == (200, "built again by the build\n")
        _commit(tmp_path, CONFIGURATION.replace("mkdir", "false &&"))
        client().start_deployment(ServiceArn=own)
        assert settled(own) == "RUNNING"
        assert last_operation(own)["Status"] == "FAILED"
        assert get(url) == (200, "built again by the build\n")
    assert docker.from_env().images.list(filters={"label": f"course.app-runner.service={own}"}) == []


def _commit(folder: Path, configuration: str) -> None:
    (folder / "apprunner.yaml").write_text(configuration)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "change"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
