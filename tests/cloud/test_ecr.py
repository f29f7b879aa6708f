"""ECR through the front door: `docker login`, `push`, `pull` and `build`, the API beside them, tasks from it."""

import base64
import hashlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import docker
import psutil
import pytest
from cloud_lab import ASLEEP, container_of, ours, register, run_task, wait_until
from ecr_lab import Docker, ecr, error, forget_bytes, host, image, repository, volume
from events_lab import put_target, queue, rule, take
from events_lab import remove as remove_rule

from labs import settings
from labs.cloud import server
from labs.cloud.ecr import addresses

ABSENT = "sha256:" + "0" * 64

kept_bytes = pytest.fixture(scope="module")(forget_bytes)


@pytest.fixture(scope="module")
def aws(kept_bytes: list[str], local_aws: Path) -> Path:
    """The local AWS; the bytes of its registry are removed after it has stopped."""
    kept_bytes.append(volume())
    return local_aws


@pytest.fixture(scope="module", autouse=True)
def cli(aws: Path, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    """A `docker` that is logged in."""
    found = Docker(tmp_path_factory.mktemp("docker"))
    found.login()
    return found


@pytest.fixture(scope="module")
def small(aws: Path) -> Iterator[str]:
    """An image of a few bytes."""
    made = image()
    yield made
    docker.from_env().images.remove(made, force=True)


def request(method: str, path: str, user: str | None = None, **more: object) -> tuple[int, dict[str, str], bytes]:
    """A request of the registry's protocol: status, headers by names in lower case, body."""
    connection = http.client.HTTPConnection(host(), timeout=30)
    headers = dict(more.pop("headers", {}))
    if user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
    connection.request(method, path, headers=headers, **more)
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


def credentials() -> str:
    """`AWS:<token>`."""
    token = ecr().get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode()


def remove_local(name: str) -> None:
    docker.from_env().images.remove(name, force=True)


def test_what_a_deletion_leaves_is_collected_and_the_rest_stays(cli: Docker) -> None:
    """The first one, for a push that was refused makes the collection wait."""
    made = repository()
    name, uri = made["repositoryName"], made["repositoryUri"]
    gone, stays = image({"gone": os.urandom(3_000_000)}), image()
    cli.must_push(stays, f"{uri}:stays")
    digest = cli.must_push(gone, f"{uri}:gone")
    layers = json.loads(
        ecr().batch_get_image(repositoryName=name, imageIds=[{"imageTag": "gone"}])["images"][0]["imageManifest"]
    )["layers"]
    ecr().batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": digest}])

    def available() -> set[str]:
        asked = ecr().batch_check_layer_availability(
            repositoryName=name, layerDigests=[one["digest"] for one in layers]
        )
        return {one["layerAvailability"] for one in asked["layers"]}

    wait_until(lambda: available() == {"UNAVAILABLE"}, 60)
    remove_local(stays)
    assert cli.run("pull", f"{uri}:stays").returncode == 0
    remove_local(f"{uri}:stays")
    cli.must_push(gone, f"{uri}:gone")  # the same layers once more, as if they were new
    remove_local(gone)
    assert cli.run("pull", f"{uri}:gone").returncode == 0
    remove_local(f"{uri}:gone")


# --- push, pull, log-in -----------------------------------------------------------------------------------------------


def test_a_repositorys_uri_works_as_given(cli: Docker, small: str, tmp_path: Path) -> None:
    uri = repository()["repositoryUri"]
    digest = cli.must_push(small, f"{uri}:1")
    assert cli.run("pull", f"{uri}:1").returncode == 0
    assert docker.from_env().images.get(f"{uri}:1").id == small
    remove_local(f"{uri}:1")
    assert cli.run("pull", f"{uri}@{digest}").returncode == 0
    remove_local(f"{uri}@{digest}")
    (tmp_path / "Dockerfile").write_text(f"FROM {uri}:1\nLABEL course={settings.COURSE} test=from\n")
    built = cli.run("build", "-q", "--pull", "--force-rm", str(tmp_path))
    assert built.returncode == 0, built.stderr
    remove_local(built.stdout.strip())


def test_the_images_facts_are_true(cli: Docker, small: str) -> None:
    begin = time.time()
    made = repository()
    digest = cli.must_push(small, f"{made['repositoryUri']}:1")
    name = made["repositoryName"]
    found = ecr().describe_images(repositoryName=name)["imageDetails"][0]
    manifest = ecr().batch_get_image(repositoryName=name, imageIds=[{"imageTag": "1"}])["images"][0]["imageManifest"]
    parsed = json.loads(manifest)
    sizes = [parsed["config"]["size"], *(one["size"] for one in parsed["layers"])]
    assert found["imageDigest"] == digest == "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    assert found["imageSizeInBytes"] == sum(sizes)
    assert found["imageTags"] == ["1"]
    assert found["imageManifestMediaType"] == parsed["mediaType"]
    assert found["artifactMediaType"] == parsed["config"]["mediaType"]
    assert begin - 1 <= found["imagePushedAt"].timestamp() <= time.time() + 1
    layers = [one["digest"] for one in parsed["layers"]]
    available = ecr().batch_check_layer_availability(repositoryName=name, layerDigests=[*layers, ABSENT, "x"])
    assert {one["layerDigest"]: one.get("layerSize") for one in available["layers"]} == {
        ABSENT: None,
        **{one["digest"]: one["size"] for one in parsed["layers"]},
    }
    assert available["failures"][0]["failureCode"] == "InvalidLayerDigest"
    url = ecr().get_download_url_for_layer(repositoryName=name, layerDigest=layers[0])["downloadUrl"]
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - of our own gateway
        assert "sha256:" + hashlib.sha256(answer.read()).hexdigest() == layers[0]
    changed = url[:-4] + ("0000" if not url.endswith("0000") else "1111")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(changed)  # noqa: S310 - of our own gateway
    caught.value.close()
    assert caught.value.code == 401


def test_a_pull_is_recorded(cli: Docker, small: str) -> None:
    made = repository()
    cli.must_push(small, f"{made['repositoryUri']}:1")
    describe = {"repositoryName": made["repositoryName"]}
    assert "lastRecordedPullTime" not in ecr().describe_images(**describe)["imageDetails"][0]
    done = cli.run("pull", f"{made['repositoryUri']}:1")
    assert done.returncode == 0, done.stderr
    remove_local(f"{made['repositoryUri']}:1")
    pulled = ecr().describe_images(**describe)["imageDetails"][0]["lastRecordedPullTime"].timestamp()
    assert abs(pulled - time.time()) < 30


def test_nobody_enters_without_a_token_of_ours(cli: Docker, small: str, tmp_path: Path) -> None:
    made = repository()
    cli.must_push(small, f"{made['repositoryUri']}:1")
    stranger = Docker(tmp_path / "none")
    pushed = stranger.push(small, f"{made['repositoryUri']}:2")
    assert pushed.returncode != 0
    assert "no basic auth credentials" in pushed.stderr
    assert stranger.run("pull", f"{made['repositoryUri']}:1").returncode != 0
    wrong = stranger.run("login", "-u", "AWS", "--password-stdin", host(), text="guess")
    assert wrong.returncode != 0
    for user in (None, "AWS:guess", "AWS:", f"root{credentials()[3:]}", credentials()[:-1], "AWS:e30=.x"):
        status, headers, _ = request("GET", "/v2/", user)
        assert status == 401
        assert headers["www-authenticate"] == f'Basic realm="http://{host()}/",service="ecr.amazonaws.com"'
    assert request("GET", "/v2/", credentials())[0] == 200
    assert ecr().list_images(repositoryName=made["repositoryName"])["imageIds"][0]["imageTag"] == "1"


def test_a_token_lasts_twelve_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ecr().get_authorization_token()["authorizationData"][0]
    assert abs(data["expiresAt"].timestamp() - time.time() - 12 * 3600) < 30
    assert data["proxyEndpoint"] == f"http://{host()}"
    # What the token says of its end is signed, so it cannot be put off.
    user, _, token = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    body, _, signature = token.partition(".")
    payload = json.loads(base64.urlsafe_b64decode(body))
    payload["expiration"] += 3600
    longer = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()
    assert request("GET", "/v2/", f"{user}:{longer}.{signature}")[0] == 401


def test_a_push_to_no_repository_is_refused_in_awss_words(cli: Docker, small: str) -> None:
    pushed = cli.push(small, f"{host()}/nowhere/at-all:1")
    assert pushed.returncode != 0
    said = f"The repository with name 'nowhere/at-all' does not exist in the registry with id '{settings.ACCOUNT}'"
    assert said in pushed.stderr
    assert said in cli.run("pull", f"{host()}/nowhere/at-all:1").stderr
    there = repository()["repositoryUri"]
    assert "Requested image not found" in cli.run("pull", f"{there}:absent").stderr


def test_a_moved_tag_leaves_an_untagged_image(cli: Docker) -> None:
    made = repository()
    first, second = image(), image()
    digests = [cli.must_push(one, f"{made['repositoryUri']}:latest") for one in (first, second)]
    for one in (first, second):
        docker.from_env().images.remove(one, force=True)
    found = ecr().list_images(repositoryName=made["repositoryName"])["imageIds"]
    assert found == [{"imageDigest": digests[0]}, {"imageDigest": digests[1], "imageTag": "latest"}]
    for status, digest in (("UNTAGGED", digests[0]), ("TAGGED", digests[1])):
        listed = ecr().list_images(repositoryName=made["repositoryName"], filter={"tagStatus": status})["imageIds"]
        assert [one["imageDigest"] for one in listed] == [digest]


def test_immutable_tags_stay(cli: Docker) -> None:
    made = repository(imageTagMutability="IMMUTABLE")
    name, uri = made["repositoryName"], made["repositoryUri"]
    first, second = image(), image()
    digest = cli.must_push(first, f"{uri}:v1")
    refused = cli.push(second, f"{uri}:v1")
    said = f"The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten because"
    assert refused.returncode != 0
    assert f"tag invalid: {said} the repository is immutable." in refused.stderr
    cli.must_push(second, f"{uri}:v2")
    manifest = ecr().batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v2"}])["images"][0]["imageManifest"]
    again = error(ecr().put_image, repositoryName=name, imageManifest=manifest, imageTag="v1")
    assert again["Code"] == "ImageTagAlreadyExistsException"
    assert (
        ecr().describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]["imageDigest"]
        == digest
    )
    exclusion = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    ecr().put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=exclusion,
    )
    for one in (first, second):
        cli.must_push(one, f"{uri}:dev-1")
    assert cli.push(second, f"{uri}:v1").returncode != 0
    ecr().put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=exclusion,
    )
    assert cli.push(first, f"{uri}:dev-1").returncode != 0
    cli.must_push(second, f"{uri}:v1")
    for one in (first, second):
        docker.from_env().images.remove(one, force=True)


def test_each_region_is_a_registry_of_its_own(cli: Docker, small: str) -> None:
    name = f"web-{uuid.uuid4().hex[:8]}"
    west = ecr("eu-west-1").create_repository(repositoryName=name)["repository"]
    home = ecr().create_repository(repositoryName=name)["repository"]
    assert west["repositoryUri"] == f"{host()}/eu-west-1/{name}"
    assert home["repositoryUri"] == f"{host()}/{name}"
    cli.must_push(small, f"{west['repositoryUri']}:1")
    assert ecr().list_images(repositoryName=name)["imageIds"] == []
    assert len(ecr("eu-west-1").list_images(repositoryName=name)["imageIds"]) == 1
    assert cli.run("pull", f"{home['repositoryUri']}:1").returncode != 0
    assert cli.run("pull", f"{west['repositoryUri']}:1").returncode == 0
    remove_local(f"{west['repositoryUri']}:1")
    # A name of the home region that begins like a region says its region.
    odd = ecr().create_repository(repositoryName=f"eu-west-1/{name}")["repository"]
    assert odd["repositoryUri"] == f"{host()}/us-east-1/eu-west-1/{name}"
    assert addresses.locate(odd["repositoryUri"].partition("/")[2]) == ("us-east-1", f"eu-west-1/{name}")
    cli.must_push(small, f"{odd['repositoryUri']}:odd")
    assert len(ecr("eu-west-1").list_images(repositoryName=name)["imageIds"]) == 1


def test_tags_and_catalog_of_the_registrys_protocol(cli: Docker, small: str) -> None:
    made = repository()
    for tag in "abc":
        cli.must_push(small, f"{made['repositoryUri']}:{tag}")
    name, user = made["repositoryName"], credentials()
    _, headers, body = request("GET", f"/v2/{name}/tags/list?n=2", user)
    assert json.loads(body) == {"name": name, "tags": ["a", "b"]}
    following = headers["link"].partition(">")[0].lstrip("<")
    assert json.loads(request("GET", following, user)[2])["tags"] == ["c"]
    assert name in json.loads(request("GET", "/v2/_catalog", user)[2])["repositories"]
    assert request("DELETE", f"/v2/{name}/manifests/a", user)[0] == 405
    assert request("GET", f"/v2/{name}/tags/list?n=x", user)[0] == 400
    assert request("PUT", f"/v2/{name}/manifests/d", user, body=b"{}")[0] == 400
    assert request("PUT", f"/v2/{name}/manifests/d", user, body=b"x" * 5_000_000)[0] == 413


@pytest.mark.embedded  # LocalStack's open release has no apigatewayv2
def test_a_signed_request_of_another_service_keeps_its_path() -> None:
    """`/v2/` is also where other services of AWS have their operations."""
    assert "Items" in boto3.client("apigatewayv2").get_apis()


# --- size, time, ends -------------------------------------------------------------------------------------------------


def test_a_big_layer_goes_through_without_filling_memory(cli: Docker) -> None:
    made = repository()
    big = image({"big": os.urandom(100_000_000)})
    gateway = psutil.Process(server.health()["pid"])
    most, done = [gateway.memory_info().rss], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most.append(gateway.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        cli.must_push(big, f"{made['repositoryUri']}:1")
        remove_local(big)
        assert cli.run("pull", f"{made['repositoryUri']}:1").returncode == 0
    finally:
        done.set()
        watcher.join()
    remove_local(f"{made['repositoryUri']}:1")
    assert max(most) - most[0] < 40_000_000
    size = ecr().describe_images(repositoryName=made["repositoryName"])["imageDetails"][0]["imageSizeInBytes"]
    assert size > 100_000_000


def test_a_registry_that_was_removed_comes_back_with_all_images(cli: Docker, small: str) -> None:
    made = repository()
    cli.must_push(small, f"{made['repositoryUri']}:1")
    cli.must_push(big := image({"layer": os.urandom(100_000)}), f"{made['repositoryUri']}:2")
    remove_local(big)
    (registry,) = ours("registry")
    docker.from_env().containers.get(registry).remove(force=True)
    begin = time.monotonic()
    pulled = cli.run("pull", f"{made['repositoryUri']}:2")
    assert pulled.returncode == 0, pulled.stderr
    assert time.monotonic() - begin < 10
    remove_local(f"{made['repositoryUri']}:2")
    docker.from_env().containers.get(ours("registry")[0]).remove(force=True)
    wait_until(lambda: ours("registry"), 10)


# --- events, tasks ----------------------------------------------------------------------------------------------------


def test_pushes_and_deletions_are_events(cli: Docker, small: str) -> None:
    made = repository()
    url, arn = queue()
    name = rule({"source": ["aws.ecr"], "detail": {"repository-name": [made["repositoryName"]]}})
    put_target(name, Arn=arn)
    digest = cli.must_push(small, f"{made['repositoryUri']}:1")
    ecr().batch_delete_image(repositoryName=made["repositoryName"], imageIds=[{"imageTag": "1"}])
    events = [json.loads(message["Body"]) for message in take(url, 2, 20)]
    remove_rule(name)
    for event, action in zip(events, ("PUSH", "DELETE"), strict=True):
        assert event["source"] == "aws.ecr"
        assert event["detail-type"] == "ECR Image Action"
        wanted = {"result": "SUCCESS", "action-type": action, "image-digest": digest, "image-tag": "1"}
        assert wanted.items() <= event["detail"].items()


def test_a_task_runs_an_image_of_ours_by_both_names(cli: Docker) -> None:
    made = repository()
    built = image(base=settings.BASE_IMAGE)
    digest = cli.must_push(built, f"{made['repositoryUri']}:1")
    remove_local(built)
    official = f"{settings.ACCOUNT}.dkr.ecr.{settings.REGION}.amazonaws.com/{made['repositoryName']}:1"
    for name in (f"{made['repositoryUri']}:1", official):
        register("ecr-test", name, command=ASLEEP, stopTimeout=2)
        arn = run_task("ecr-test")
        assert container_of(arn).image.id == built
        task = boto3.client("ecs").describe_tasks(cluster="cloud-test", tasks=[arn])["tasks"][0]
        assert task["containers"][0]["imageDigest"] == digest
        boto3.client("ecs").stop_task(cluster="cloud-test", task=arn)
        wait_until(
            lambda arn=arn: (
                not docker.from_env().containers.list(filters={"label": f"com.amazonaws.ecs.task-arn={arn}"})
            )
        )
    remove_local(built)


def test_everything_survives_a_kill(cli: Docker, small: str) -> None:
    """The last one, for it ends the local AWS."""
    made = repository(imageTagMutability="IMMUTABLE")
    digest = cli.must_push(small, f"{made['repositoryUri']}:1")
    os.kill(server.health()["pid"], signal.SIGKILL)
    wait_until(lambda: server.health() is None)
    assert server.ensure_running().how == "recovered"
    found = ecr().describe_repositories(repositoryNames=[made["repositoryName"]])["repositories"][0]
    assert found == made
    assert cli.run("pull", f"{made['repositoryUri']}@{digest}").returncode == 0  # with the token from before
    remove_local(f"{made['repositoryUri']}@{digest}")
    server.stop()
    assert subprocess.run(["docker", "volume", "inspect", volume()], capture_output=True, check=False).returncode == 0
    assert server.ensure_running().how == "started"
    assert cli.run("pull", f"{made['repositoryUri']}:1").returncode == 0
    remove_local(f"{made['repositoryUri']}:1")
