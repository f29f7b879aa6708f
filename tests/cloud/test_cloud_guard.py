"""No request to a real AWS host leaves a Python process of the course, whatever library makes it."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import botocore
import pytest
from cloud_lab import python

from labs import settings
from labs.cloud import guard

HOSTS = [
    "ecs.us-east-1.amazonaws.com",
    "ECS.us-east-1.amazonaws.com.",
    "ecs.cn-north-1.amazonaws.com.cn",
    "bucket.s3.amazonaws.com",
    "ecs.eu-west-1.api.aws",
    "abc.lambda-url.us-east-1.on.aws",
    "my.awsapps.com",
    "signin.aws.amazon.com",
    "169.254.169.254",
    "[fd00:ec2::254]",
]
NOT_AWS = ["localhost", "127.0.0.1", "169.254.170.2", "pypi.org", "notamazonaws.com", "amazonaws.com.example.org", ""]
URLS = ["https://ecs.us-east-1.amazonaws.com", "http://169.254.169.254"]


@pytest.mark.parametrize("host", HOSTS)
def test_real_hosts_are_known(host: str) -> None:
    assert guard.is_real_aws(host)


@pytest.mark.parametrize("host", NOT_AWS)
def test_other_hosts_are_free(host: str) -> None:
    assert not guard.is_real_aws(host)


def test_every_partition_of_botocore_is_known() -> None:
    data = Path(botocore.__file__).parent / "data"
    outputs = [one["outputs"] for one in json.loads((data / "partitions.json").read_text("utf-8"))["partitions"]]
    suffixes = {output[key] for output in outputs for key in ("dnsSuffix", "dualStackDnsSuffix")}
    for partition in json.loads((data / "endpoints.json").read_text("utf-8"))["partitions"]:
        suffixes.add(partition["dnsSuffix"])
    assert len(suffixes) > 5
    assert [suffix for suffix in suffixes if not guard.is_real_aws(f"ecs.region.{suffix}")] == []


@pytest.mark.parametrize("url", URLS)
def test_boto3_is_refused_at_once_with_our_sentence(url: str) -> None:
    done = python(
        "import boto3, time\n"
        "client = boto3.client('ecs')\n"
        "begin = time.monotonic()\n"
        "try:\n"
        f"    boto3.client('ecs', endpoint_url={url!r}).list_clusters()\n"
        "except Exception as error:\n"
        "    print(time.monotonic() - begin, error)\n",
        **_KEYS,
    )
    seconds, _, sentence = done.stdout.partition(" ")
    assert "is a real AWS host, and the course sends nothing there" in sentence, done.stdout + done.stderr
    assert float(seconds) < 1


def test_aws_cli_is_refused_with_our_sentence() -> None:
    arguments = ["ecs", "list-clusters", "--endpoint-url", URLS[0]]
    begin = time.monotonic()
    done = python(f"from awscli.clidriver import main; sys.argv[1:] = {arguments!r}; sys.exit(main())", **_KEYS)
    assert done.returncode != 0
    assert "ecs.us-east-1.amazonaws.com is a real AWS host" in done.stderr
    assert time.monotonic() - begin < 5  # most of it is the CLI's own start


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.getaddrinfo('ecs.us-east-1.amazonaws.com', 443)",
        "import socket; socket.gethostbyname('ecs.us-east-1.amazonaws.com')",
        "import socket; socket.socket().connect(('169.254.169.254', 80))",
        "import socket; socket.socket().connect_ex(('169.254.169.254', 80))",
        "import urllib.request; urllib.request.urlopen('https://s3.amazonaws.com')",
        "import asyncio; asyncio.run(asyncio.open_connection('s3.amazonaws.com', 443))",
    ],
)
def test_every_library_is_refused(code: str) -> None:
    done = python(code)
    assert "RealAwsRefused" in done.stderr, done.stderr


def test_a_load_balancers_name_is_told_how_to_be_reached() -> None:
    done = python("import urllib.request; urllib.request.urlopen('http://web-1.us-east-1.elb.amazonaws.com/')")
    assert "with the header Host: web-1.us-east-1.elb.amazonaws.com" in done.stderr


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """An HTTP proxy that answers nothing: its address, and all bytes that it was sent."""
    sent: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    while chunk := connection.recv(4096):
                        sent.append(chunk)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", sent
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_not_told_of_real_aws(proxy: tuple[str, list[bytes]], scheme: str) -> None:
    address, sent = proxy
    done = python(
        f"import boto3; boto3.client('ecs', endpoint_url='{scheme}://ecs.us-east-1.amazonaws.com').list_clusters()",
        **_KEYS,
        HTTP_PROXY=address,
        HTTPS_PROXY=address,
    )
    assert "is a real AWS host" in done.stderr
    assert sent == []


def test_no_environment_variable_opens_it() -> None:
    ask = "import sys; sys.audit('socket.getaddrinfo', 'ecs.us-east-1.amazonaws.com', 443, 0, 0, 0); print('free')"
    assert python(f"guard.allow_real_aws(); {ask}").stdout == "free\n"
    for backend in ("aws", "embedded", "localstack", ""):
        assert "RealAwsRefused" in python(ask, COURSE_BACKEND=backend).stderr


def test_only_the_room_of_the_backend_and_its_choice_open_it() -> None:
    rooms = {path for path in settings.LABS.rglob("*.py") if "allow_real_aws()" in path.read_text("utf-8")}
    assert {path.relative_to(settings.LABS).as_posix() for path in rooms} == {
        "cloud/backends/aws/backend.py",
        "cloud/guard.py",
        "machine/choosing.py",
    }


def test_it_costs_nothing_to_import_and_installs_once() -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(Path(guard.__file__).parents[2])!r})\n"
        "before = set(sys.modules)\n"
        "from labs.cloud import guard\n"
        "print(sorted(set(sys.modules) - before))\n"
        "hooks = []\n"
        "sys.addaudithook = hooks.append\n"
        "guard.install(); guard.install()\n"
        "print(len(hooks))\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['labs', 'labs.cloud', 'labs.cloud.guard']\n1\n"


_KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAZ7REALLOOKINGKEY",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_DEFAULT_REGION": "us-east-1",
}
