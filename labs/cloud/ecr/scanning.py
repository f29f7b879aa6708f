"""Basic scanning: the packages of an image, compared with what `vulnerabilities` knows.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-basic.html
"""

import http.client
import logging
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from labs.cloud.ecr import images, manifests, packages, publishing, registry, registry_settings, versions
from labs.cloud.ecr.packages import Package, System, UnsupportedImageError
from labs.cloud.ecr.state import SOURCE, Ecr, image_key
from labs.cloud.ecr.vulnerabilities import KNOWN, UPDATED, Vulnerability
from labs.cloud.engine import docker
from labs.cloud.frame import arns, clock, paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
CONFIGURATIONS = ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json")
_ADDRESSES = {
    "debian": "https://security-tracker.debian.org/tracker/",
    "alpine": "https://security.alpinelinux.org/vuln/",
}

log = logging.getLogger(__name__)


def start_image_scan(ecr: Ecr, request: Request) -> dict[str, Any]:
    """StartImageScan."""
    repository = ecr.repository(request, request.region)
    image = images.require(ecr, repository, request["imageId"])
    if not _is_scannable(image):
        raise AwsError("UnsupportedImageTypeException", "The image is of a type that cannot be scanned.")
    if image.get("imageStatus", "ACTIVE") != "ACTIVE":
        raise AwsError("ImageArchivedException", "The image is archived. Restore it before you scan it.")
    _begin(ecr, image_key(image["_repository"], image["imageDigest"]))
    return {
        "registryId": repository["registryId"],
        "repositoryName": repository["repositoryName"],
        "imageId": {"imageDigest": image["imageDigest"], **request["imageId"]},
        "imageScanStatus": {"status": "IN_PROGRESS"},
    }


def describe_image_scan_findings(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DescribeImageScanFindings."""
    repository = ecr.repository(request, request.region)
    image = images.require(ecr, repository, request["imageId"])
    scan = image.get("_scan")
    if scan is None:
        raise AwsError(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{images.written({'imageDigest': image['imageDigest']})}' "
            f"in the repository with name '{repository['repositoryName']}' in the registry with id "
            f"'{repository['registryId']}'",
        )
    answer = {
        "registryId": repository["registryId"],
        "repositoryName": repository["repositoryName"],
        "imageId": {"imageDigest": image["imageDigest"], **request["imageId"]},
        "imageScanStatus": scan["status"],
    }
    if "findings" in scan:
        found = scan["findings"]
        page, token = paging.page(found["findings"], request.get("maxResults"), request.get("nextToken"), most=1000)
        answer |= {"imageScanFindings": {**found, "findings": page}, "nextToken": token}
    return answer


def scan_on_push(ecr: Ecr, key: str) -> None:
    """Begins a scan of an image that was pushed, if its repository or its registry says so."""
    image = ecr.images.get(key)
    repository = ecr.repositories.get(image["_repository"]) if image else None
    if image is None or repository is None or not _is_scannable(image) or "_scan" in image:
        return
    if registry_settings.scans_on_push(ecr, arns.region(repository["repositoryArn"]), repository):
        _begin(ecr, key)
        ecr.store.flush_quietly()


def resume(ecr: Ecr) -> None:
    """Goes on with the scans that were under way when the process ended."""
    for key, image in ecr.images.items():
        if image.get("_scan", {}).get("status", {}).get("status") == "IN_PROGRESS":
            _begin(ecr, key)


def findings(system: System) -> list[dict[str, Any]]:
    """What is known of the packages of an image, the worst first.

    Raises:
        UnsupportedImageError: nothing is known of its distribution, so a scan could say nothing.
    """
    release = system.release if system.distribution == "debian" else ".".join(system.release.split(".")[:2])
    known = KNOWN.get((system.distribution, release))
    if known is None:
        raise UnsupportedImageError(
            "The operating system and/or package manager are not supported. This local scan knows "
            + " and ".join(f"{name} {number}" for name, number in KNOWN)
            + f", and the image is {system.distribution} {system.release}."
        )
    less = versions.apk_less if system.distribution == "alpine" else versions.dpkg_less
    found = [
        _finding(system.distribution, one, package)
        for one in known
        for package in system.packages
        if package.source == one.source and less(package.version, one.fixed)
    ]
    # One finding a vulnerability, as AWS has it: of the first of the packages that are built from one source.
    unique = {one["name"]: one for one in reversed(found)}
    return sorted(unique.values(), key=lambda one: (SEVERITIES.index(one["severity"]), one["name"]))


def _finding(distribution: str, one: Vulnerability, package: Package) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": (
            f"{package.name} {package.version} is older than {one.fixed}, which mends {one.name}. From this course's "
            "own table of a few well-known vulnerabilities, not from a full database."
        ),
        "uri": _ADDRESSES[distribution] + one.name,
        "severity": one.severity,
        "attributes": [
            {"key": "package_version", "value": package.version},
            {"key": "package_name", "value": package.name},
        ],
    }


def _begin(ecr: Ecr, key: str) -> None:
    image = ecr.images[key]
    ecr.keep({**image, "_scan": {"status": {"status": "IN_PROGRESS"}}})
    ecr.background.spawn(_scan(ecr, key), f"scan of {key}")


async def _scan(ecr: Ecr, key: str) -> None:
    image = ecr.images.get(key)
    repository = ecr.repositories.get(image["_repository"]) if image else None
    if image is None or repository is None:  # deleted meanwhile
        return
    kept = publishing.kept(repository)
    try:
        port = await ecr.bytes.port()
        system = await docker.run(_read, port, kept, image["_layers"])
        found = findings(system)
        counts = Counter(one["severity"] for one in found)
        scan: dict[str, Any] = {
            "status": {"status": "COMPLETE", "description": "The scan was completed successfully."},
            "findings": {
                "imageScanCompletedAt": clock.now(),
                "vulnerabilitySourceUpdatedAt": UPDATED,
                "findingSeverityCounts": dict(counts),
                "findings": found,
            },
        }
    except UnsupportedImageError as problem:
        scan = {"status": {"status": "FAILED", "description": f"UnsupportedImageError: {problem}"}}
    except (OSError, http.client.HTTPException, AwsError) as problem:
        log.warning("the scan of %s failed: %s", key, problem)
        scan = {"status": {"status": "FAILED", "description": f"The layers could not be read: {problem}"}}
    if (present := ecr.images.get(key)) is None:
        return
    ecr.keep({**present, "_scan": scan})
    ecr.store.flush_quietly()
    _tell(ecr, present, scan)


def _read(port: int, kept: str, layers: list[str]) -> System:
    return packages.read(_opened(port, kept, layers))


def _opened(port: int, kept: str, layers: list[str]) -> Iterator[IO[bytes]]:
    for digest in layers:
        with registry.layer(port, kept, digest) as content:
            yield content


def _is_scannable(image: Record) -> bool:
    return image["imageManifestMediaType"] in manifests.IMAGES and image.get("artifactMediaType") in CONFIGURATIONS


def _tell(ecr: Ecr, image: Record, scan: dict[str, Any]) -> None:
    detail = {
        "scan-status": scan["status"]["status"],
        "repository-name": image["repositoryName"],
        "finding-severity-counts": scan.get("findings", {}).get("findingSeverityCounts", {}),
        "image-digest": image["imageDigest"],
        "image-tags": image["imageTags"],
    }
    ecr.publish(arns.region(image["_repository"]), "ECR Image Scan", [image["_repository"]], detail, SOURCE)


OPERATIONS = {
    "StartImageScan": start_image_scan,
    "DescribeImageScanFindings": describe_image_scan_findings,
}
