"""Scans of images: what is found in their packages, on push and on demand; and what can be told without an engine."""

import io
import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from cloud_lab import wait_until
from ecr_lab import Docker, ecr, error, forget_bytes, image, layer, repository, volume
from events_lab import put_target, queue, rule, take
from events_lab import remove as remove_rule

from labs.cloud.ecr import lifecycle, packages, versions
from labs.cloud.ecr.vulnerabilities import KNOWN

DEBIAN = b'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n'
OLD = b"""Package: libc6
Status: install ok installed
Source: glibc
Version: 2.36-9+deb12u2

Package: libssl3
Status: install ok installed
Source: openssl
Version: 3.0.99-1

Package: tar
Status: deinstall ok config-files
Version: 1.0-1
"""

kept_bytes = pytest.fixture(scope="module")(forget_bytes)


@pytest.fixture(scope="module")
def cli(kept_bytes: list[str], local_aws: Path, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    kept_bytes.append(volume())
    found = Docker(tmp_path_factory.mktemp("docker"))
    found.login()
    return found


@pytest.fixture
def built() -> Iterator[list[str]]:
    """Images to remove at the end."""
    made: list[str] = []
    yield made
    for one in made:
        docker.from_env().images.remove(one, force=True)


def scanned(name: str, tag: str) -> dict[str, Any]:
    """The findings of an image, once its scan has ended."""
    asked = {"repositoryName": name, "imageId": {"imageTag": tag}}
    wait_until(lambda: ecr().describe_image_scan_findings(**asked)["imageScanStatus"]["status"] != "IN_PROGRESS", 30)
    return ecr().describe_image_scan_findings(**asked)


def test_an_old_package_is_found_on_push(cli: Docker, built: list[str]) -> None:
    made = repository(imageScanningConfiguration={"scanOnPush": True})
    name = made["repositoryName"]
    url, arn = queue()
    on_scan = rule({"detail-type": ["ECR Image Scan"], "detail": {"repository-name": [name]}})
    put_target(on_scan, Arn=arn)
    built.append(image({"etc/os-release": DEBIAN, "var/lib/dpkg/status": OLD}))
    cli.must_push(built[0], f"{made['repositoryUri']}:1")
    found = scanned(name, "1")
    assert found["imageScanStatus"]["status"] == "COMPLETE"
    listed = found["imageScanFindings"]["findings"]
    assert [one["name"] for one in listed] == ["CVE-2023-4911", "CVE-2023-6246", "CVE-2024-2961"]
    assert found["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 3}
    assert "not from a full database" in listed[0]["description"]
    assert {"key": "package_name", "value": "libc6"} in listed[0]["attributes"]
    assert listed[0]["uri"] == "https://security-tracker.debian.org/tracker/CVE-2023-4911"
    detail = ecr().describe_images(repositoryName=name)["imageDetails"][0]
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"HIGH": 3}
    pages = ecr().get_paginator("describe_image_scan_findings")
    asked = {"repositoryName": name, "imageId": {"imageTag": "1"}, "PaginationConfig": {"PageSize": 2}}
    assert [len(page["imageScanFindings"]["findings"]) for page in pages.paginate(**asked)] == [2, 1]
    event = json.loads(take(url, 1, 20)[0]["Body"])
    remove_rule(on_scan)
    assert event["source"] == "aws.ecr"
    assert event["resources"] == [made["repositoryArn"]]
    assert event["detail"]["scan-status"] == "COMPLETE"
    assert event["detail"]["finding-severity-counts"] == {"HIGH": 3}


def test_a_scan_on_demand(cli: Docker, built: list[str]) -> None:
    made = repository()
    name = made["repositoryName"]
    new = OLD.replace(b"2.36-9+deb12u2", b"2.36-9+deb12u14")
    built += [image({"etc/os-release": DEBIAN, "var/lib/dpkg/status": new}), image()]
    for tag, one in zip(("new", "bare"), built, strict=True):
        cli.must_push(one, f"{made['repositoryUri']}:{tag}")
    asked = {"repositoryName": name, "imageId": {"imageTag": "new"}}
    assert error(ecr().describe_image_scan_findings, **asked)["Code"] == "ScanNotFoundException"
    assert ecr().start_image_scan(**asked)["imageScanStatus"]["status"] == "IN_PROGRESS"
    assert scanned(name, "new")["imageScanFindings"]["findings"] == []
    ecr().start_image_scan(repositoryName=name, imageId={"imageTag": "bare"})
    bare = scanned(name, "bare")
    assert bare["imageScanStatus"]["status"] == "FAILED"
    assert bare["imageScanStatus"]["description"].startswith("UnsupportedImageError: The operating system and/or")
    absent = {"repositoryName": name, "imageId": {"imageTag": "absent"}}
    assert error(ecr().start_image_scan, **absent)["Code"] == "ImageNotFoundException"


def test_the_registry_says_what_is_scanned(cli: Docker, built: list[str]) -> None:
    region = "eu-west-3"
    client = ecr(region)
    rules = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "prod-*", "filterType": "WILDCARD"}]}]
    client.put_registry_scanning_configuration(scanType="BASIC", rules=rules)
    assert client.get_registry_scanning_configuration()["scanningConfiguration"]["rules"] == rules
    made = repository("prod", region=region)
    asked = {"repositoryNames": [made["repositoryName"], "absent"]}
    found = client.batch_get_repository_scanning_configuration(**asked)
    assert found["scanningConfigurations"][0]["scanFrequency"] == "SCAN_ON_PUSH"
    assert found["failures"][0]["failureCode"] == "REPOSITORY_NOT_FOUND"
    built.append(
        image(
            {
                "etc/os-release": b"ID=alpine\nVERSION_ID=3.18.4\n",
                "lib/apk/db/installed": b"P:libssl3\nV:3.1.3-r0\no:openssl\n\n",
            }
        )
    )
    cli.must_push(built[0], f"{made['repositoryUri']}:1")
    image_id = {"repositoryName": made["repositoryName"], "imageId": {"imageTag": "1"}}
    wait_until(lambda: client.describe_image_scan_findings(**image_id)["imageScanStatus"]["status"] == "COMPLETE", 20)
    counts = client.describe_image_scan_findings(**image_id)["imageScanFindings"]["findingSeverityCounts"]
    assert counts == {"HIGH": 1, "MEDIUM": 1}
    for wrong in (
        {"scanType": "ENHANCED"},
        {"scanType": "BASIC", "rules": [{**rules[0], "scanFrequency": "CONTINUOUS_SCAN"}]},
    ):
        assert error(client.put_registry_scanning_configuration, **wrong)["Code"] == "ValidationException"


# --- without an engine ------------------------------------------------------------------------------------------------


def test_packages_are_read_through_the_layers() -> None:
    lower = layer({"etc/os-release": DEBIAN, "var/lib/dpkg/status": OLD, "lib/apk/db/installed": b"P:a\nV:1\n"})
    upper = layer({"lib/apk/db/.wh.installed": b"", "var/lib/dpkg/status": OLD.replace(b"libc6", b"libc7")})
    system = packages.read([io.BytesIO(lower), io.BytesIO(upper)])
    assert (system.distribution, system.release) == ("debian", "12")
    assert [(one.name, one.source) for one in system.packages] == [("libc7", "glibc"), ("libssl3", "openssl")]
    with pytest.raises(packages.UnsupportedImageError):
        packages.read([io.BytesIO(b"no archive" * 100)])
    with pytest.raises(packages.UnsupportedImageError):
        packages.read([io.BytesIO(lower), io.BytesIO(layer({"var/lib/.wh.dpkg": b"", "lib/.wh.apk": b""}))])


def test_dpkg_versions_compare_as_dpkg_compares_them() -> None:
    odd = [
        "1.0",
        "1.0-0",
        "1.0-1",
        "1.0~rc1",
        "1.0~~",
        "1.0a",
        "1.0+b",
        "1.0.1",
        "1.09",
        "1.10",
        "2:0.1-1",
        "1.0-1+deb12u10",
    ]
    made = odd + [one.fixed for one in KNOWN["debian", "12"]][::3]
    pairs = list(itertools.product(made, made))
    script = "".join(f"dpkg --compare-versions '{a}' lt '{b}' && echo 1 || echo 0\n" for a, b in pairs)
    run = ["docker", "run", "--rm", "--label", "course=containers-on-aws", "debian:bookworm-slim", "sh", "-c", script]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert [versions.dpkg_less(a, b) for a, b in pairs] == [one == "1" for one in said]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("3.1.2-r1", "3.1.4-r0"),
        ("1.9", "1.10"),
        ("1.0_rc1", "1.0"),
        ("1.0", "1.0_p1"),
        ("1.0a", "1.0b"),
        ("1.0-r9", "1.0-r10"),
    ],
)
def test_apk_versions(older: str, newer: str) -> None:
    assert versions.apk_less(older, newer)
    assert not versions.apk_less(newer, older)
    assert not versions.apk_less(newer, newer)


def images_of(*tags: list[str]) -> list[dict[str, Any]]:
    """Images pushed a day after one another, the last one now (day 10)."""
    days = range(11 - len(tags), 11)
    return [
        {"imageDigest": str(day), "imageTags": one, "imagePushedAt": day * 86400.0, "_children": []}
        for day, one in zip(days, tags, strict=True)
    ]


def hit(images: list[dict[str, Any]], *selections: dict[str, Any]) -> list[tuple[str, int]]:
    rules = [
        {"rulePriority": number, "selection": one, "action": {"type": "expire"}}
        for number, one in enumerate(selections, 1)
    ]
    found = lifecycle.hits(lifecycle.parse(json.dumps({"rules": rules})), images, 10 * 86400.0 + 1)
    return [(one.image["imageDigest"], one.priority) for one in found]


def count(number: int, **more: Any) -> dict[str, Any]:
    return {"countType": "imageCountMoreThan", "countNumber": number, **more}


def days(number: int, **more: Any) -> dict[str, Any]:
    return {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": number, **more}


def test_what_lifecycle_rules_hit() -> None:
    images = images_of(["prod-1"], [], ["dev-1"], ["prod-2", "dev-2"], [], ["dev-3"])  # pushed on the days 5 to 10
    everything = {"tagStatus": "any"}
    untagged = {"tagStatus": "untagged"}
    prod = {"tagStatus": "tagged", "tagPrefixList": ["prod"]}
    assert hit(images, count(4, **everything)) == [("5", 1), ("6", 1)]
    assert hit(images, days(3, **everything)) == [("5", 1), ("6", 1), ("7", 1)]
    assert hit(images, days(3, **untagged)) == [("6", 1)]
    assert hit(images, count(1, **prod)) == [("5", 1)]
    # What a rule is about is not touched by those after it.
    assert hit(images, count(9, **prod), count(1, **everything)) == [("6", 2), ("7", 2), ("9", 2)]
    assert hit(images, count(1, **untagged), days(3, **everything)) == [("6", 1), ("5", 2), ("7", 2)]
    # All prefixes, and all patterns, have to fit.
    both = {"tagStatus": "tagged", "tagPrefixList": ["prod", "dev"]}
    assert hit(images, days(1, **both)) == [("8", 1)]
    patterned = {"tagStatus": "tagged", "tagPatternList": ["*-1"]}
    assert hit(images, days(1, **patterned)) == [("5", 1), ("7", 1)]
    images[-1]["_children"] = ["5"]
    assert hit(images, count(4, **everything)) == [("6", 1)]
