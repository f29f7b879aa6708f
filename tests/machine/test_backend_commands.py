"""The commands that choose a backend, show what each offers, and clean up: what they refuse changes nothing."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from labs import settings


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment of a learner who has chosen nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "COURSE_BACKEND"
    }
    return {**kept, "COURSE_DATA": str(tmp_path / "data"), "COURSE_PORT": str(port), "HOME": str(tmp_path)}


def labs(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labs", *arguments],
        cwd=settings.ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def chosen(env: dict[str, str]) -> bool:
    return (Path(env["COURSE_DATA"]) / "backend.json").exists()


def test_status_shows_the_backend_and_the_table(env: dict[str, str]) -> None:
    found = json.loads(labs(env, "status", "--json").stdout)
    assert found["running"]["backend"] == "embedded"
    rows = {row["slug"]: row for row in found["chapters"]}
    assert "elasticloadbalancing" in rows["ecs_service"]["needs"]
    assert rows["ecs_service"]["lacks"]["embedded"] == []
    assert rows["ecs_data_volumes"]["lacks"]["localstack"] == ["elasticfilesystem"]
    text = labs(env, "status").stdout
    assert "Backend         embedded" in text
    assert "Not on localstack: " in text


def test_status_names_the_real_account(env: dict[str, str]) -> None:
    data = Path(env["COURSE_DATA"])
    data.mkdir()
    (data / "backend.json").write_text('{"backend": "aws", "account": "111122223333", "region": "eu-west-1"}')
    assert "THE REAL ACCOUNT 111122223333 in eu-west-1" in labs(env, "status").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "--backend", "nonsense"], "invalid choice: 'nonsense'"),
        (["start", "--url", "http://127.0.0.1:1"], "--url only with --backend"),
        (["start", "--backend", "embedded", "--region", "us-east-1"], "--region belongs to `--backend aws`"),
        (["start", "--backend", "localstack", "--url", "http://127.0.0.1:1"], "No LocalStack answers at"),
        (["start", "--backend", "aws"], "names no region"),
        (["start", "--backend", "aws", "--profile", "nobody"], "The config profile (nobody) could not be found"),
        (["clean_up"], "there is nothing in a real account to clean up"),
        (["clean-up", "--account", "111122223333"], "there is nothing in a real account to clean up"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(env: dict[str, str], arguments: list[str], said: str) -> None:
    done = labs(env, *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert not chosen(env)


def test_a_real_account_without_credentials_is_not_chosen(env: dict[str, str]) -> None:
    env |= {"COURSE_AWS_STAND_IN": "http://127.0.0.1:1", "AWS_EC2_METADATA_DISABLED": "true"}
    done = labs(env, "start", "--backend", "aws", "--region", "us-east-1", "--account", "111122223333")
    assert done.returncode == 1
    assert "There are no AWS credentials" in done.stderr
    env |= {"AWS_ACCESS_KEY_ID": "AKIAMADEUP", "AWS_SECRET_ACCESS_KEY": "made-up-secret"}
    done = labs(env, "start", "--backend", "aws", "--region", "us-east-1", "--account", "111122223333")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "made-up-secret" not in done.stdout + done.stderr
    assert not chosen(env)


def test_a_chapter_is_not_reset_by_names_in_a_real_account(env: dict[str, str]) -> None:
    data = Path(env["COURSE_DATA"])
    data.mkdir()
    (data / "backend.json").write_text('{"backend": "aws", "account": "111122223333", "region": "eu-west-1"}')
    done = labs(env, "reset", "--chapter", "start_here")
    assert done.returncode == 1
    assert "goes by the course's tags" in done.stderr
