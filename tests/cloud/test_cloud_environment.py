"""The learner's own credentials and endpoints are never used: every client of a notebook goes to the local AWS."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from cloud_lab import python

from labs.cloud import environment

# Made up, in the shape of real ones.
REAL_KEY = "AKIAZ7REALLOOKINGKEY"
REAL = {
    "AWS_ACCESS_KEY_ID": REAL_KEY,
    "AWS_SECRET_ACCESS_KEY": "real/looking/secret+key0000000000000000000",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEReallookingtoken",
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL_ECS": "https://ecs.us-east-1.amazonaws.com",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials",
    "AWS_NOBODY_KNOWS_THIS_YET": "1",
}
CONFIG = f"""[default]
region = eu-central-1
endpoint_url = https://ecs.eu-central-1.amazonaws.com
aws_access_key_id = {REAL_KEY}
aws_secret_access_key = real/looking/secret
[profile production]
credential_process = /bin/false
"""


class Recorder(BaseHTTPRequestHandler):
    """Answers ECS ListClusters with an empty list, and keeps what it was sent."""

    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(f"{self.requestline}\n{self.headers}")
        body = b'{"clusterArns": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self) -> None:
        self.seen.append(f"{self.requestline}\n{self.headers}")
        self.send_error(502)

    def do_GET(self) -> None:
        self.do_CONNECT()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def recorder() -> Iterator[ThreadingHTTPServer]:
    """A server in the gateway's place that keeps what it was sent in `Recorder.seen`."""
    Recorder.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield listener
        listener.shutdown()


@pytest.fixture
def learner(tmp_path: Path, recorder: ThreadingHTTPServer) -> dict[str, str]:
    """The environment of a learner with real-looking credentials everywhere, and the course's put over it."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text(CONFIG)
    (home / ".aws" / "credentials").write_text(f"[default]\naws_access_key_id={REAL_KEY}\naws_secret_access_key=real\n")
    (home / ".boto").write_text(f"[Credentials]\naws_access_key_id={REAL_KEY}\naws_secret_access_key=real\n")
    proxy = f"http://127.0.0.1:{recorder.server_address[1]}"
    own = {
        **os.environ,
        **REAL,
        "HOME": str(home),
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "no_proxy": "intra.example",
    }
    own |= {"COURSE_DATA": str(tmp_path / "data"), "COURSE_PORT": str(recorder.server_address[1])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", own["COURSE_DATA"])
        patch.setenv("COURSE_PORT", own["COURSE_PORT"])
        environment.apply(own)
    return own


def test_nothing_of_the_learner_is_left() -> None:
    values = environment.variables(REAL)
    for name in REAL.keys() - {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}:
        assert values[name] is None
    assert not set(REAL.values()) & set(values.values())
    assert values["AWS_EC2_METADATA_DISABLED"] == "true"


def test_applying_twice_is_the_same_as_once_and_keeps_other_proxy_exceptions() -> None:
    environ = {**REAL, "NO_PROXY": "intra.example", "no_proxy": "other.example,127.0.0.1", "PATH": "/bin"}
    environment.apply(environ)
    once = dict(environ)
    environment.apply(environ)
    assert environ == once
    assert environ["PATH"] == "/bin"
    exceptions = environ["NO_PROXY"].split(",")
    assert {"intra.example", "other.example", "127.0.0.1", "localhost"} <= set(exceptions)
    assert len(exceptions) == len(set(exceptions))


def test_boto3_sends_throw_away_credentials_to_the_gateway(learner: dict[str, str]) -> None:
    done = python("import boto3; print(boto3.client('ecs').list_clusters()['clusterArns'])", **_only(learner))
    assert done.stdout == "[]\n", done.stderr
    _assert_only_throw_away()


def test_aws_cli_sends_throw_away_credentials_to_the_gateway(learner: dict[str, str]) -> None:
    done = python(
        "from awscli.clidriver import main; sys.argv[1:] = ['ecs', 'list-clusters']; main()", **_only(learner)
    )
    assert '"clusterArns": []' in done.stdout, done.stderr
    _assert_only_throw_away()


def test_without_any_key_the_learners_files_are_still_not_read(learner: dict[str, str]) -> None:
    del learner["AWS_ACCESS_KEY_ID"], learner["AWS_SECRET_ACCESS_KEY"]
    done = python("import boto3; print(boto3.Session().get_credentials())", **_only(learner))
    assert done.stdout == "None\n", done.stdout + done.stderr


def _only(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "PYTHONDONTWRITEBYTECODE": "1"}


def _assert_only_throw_away() -> None:
    """One direct request with our key, and nothing through the proxy."""
    assert len(Recorder.seen) == 1
    assert Recorder.seen[0].startswith("POST / ")
    assert f"Credential={environment.THROW_AWAY_KEY}/" in Recorder.seen[0]
    assert not any(secret in Recorder.seen[0] for secret in (REAL_KEY, "real", "FwoG"))
