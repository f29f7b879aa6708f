"""Settings of a region's registry: scanning, and what the account has switched."""

from typing import Any

from labs import settings
from labs.cloud.ecr import patterns
from labs.cloud.ecr.state import Ecr, repository_arn
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

# Account settings: the values that each one takes; the first is the default.
_SETTINGS = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE",),
    "REGISTRY_POLICY_SCOPE": ("V2",),
    "BLOB_MOUNTING": ("ENABLED", "DISABLED"),
}


def describe_registry(ecr: Ecr, request: Request) -> dict[str, Any]:
    """DescribeRegistry."""
    found = ecr.settings_of(request.region).get("replication", {"rules": []})
    return {"registryId": settings.ACCOUNT, "replicationConfiguration": found}


def get_account_setting(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetAccountSetting."""
    name = request["name"]
    _values(name)
    return {"name": name, "value": ecr.settings_of(request.region).get(name, _SETTINGS[name][0])}


def put_account_setting(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutAccountSetting."""
    name, value = request["name"], request["value"]
    if value not in _values(name):
        raise AwsError("InvalidParameterException", f"The account setting {name} is {' or '.join(_SETTINGS[name])}.")
    ecr.registries.put(request.region, {**ecr.settings_of(request.region), name: value})
    return {"name": name, "value": value}


def put_registry_scanning_configuration(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutRegistryScanningConfiguration. Enhanced scanning is Amazon Inspector's, which is not here."""
    kind, rules = request.get("scanType", "BASIC"), request.get("rules", [])
    if kind == "ENHANCED":
        raise AwsError(
            "ValidationException",
            "The local AWS has no Amazon Inspector, so scanType cannot be ENHANCED. Use BASIC.",
        )
    for rule in rules:
        if rule["scanFrequency"] == "CONTINUOUS_SCAN":
            raise AwsError("ValidationException", "The scanType BASIC does not support the frequency CONTINUOUS_SCAN.")
    frequencies = [rule["scanFrequency"] for rule in rules]
    if len(set(frequencies)) < len(frequencies):
        raise AwsError("ValidationException", "Each scanFrequency can be in one rule only.")
    found = {"scanType": kind, "rules": rules}
    ecr.registries.put(request.region, {**ecr.settings_of(request.region), "scanning": found})
    return {"registryScanningConfiguration": found}


def get_registry_scanning_configuration(ecr: Ecr, request: Request) -> dict[str, Any]:
    """GetRegistryScanningConfiguration."""
    return {"registryId": settings.ACCOUNT, "scanningConfiguration": _scanning(ecr, request.region)}


def put_image_scanning_configuration(ecr: Ecr, request: Request) -> dict[str, Any]:
    """PutImageScanningConfiguration."""
    record = ecr.repository(request, request.region)
    wanted = {"scanOnPush": False, **request["imageScanningConfiguration"]}
    return ecr.repositories.put(record["repositoryArn"], {**record, "imageScanningConfiguration": wanted})


def batch_get_repository_scanning_configuration(ecr: Ecr, request: Request) -> dict[str, Any]:
    """BatchGetRepositoryScanningConfiguration."""
    found, failures = [], []
    for name in request["repositoryNames"]:
        arn = repository_arn(request.region, name)
        if arn not in ecr.repositories:
            failures.append(
                {
                    "repositoryName": name,
                    "failureCode": "REPOSITORY_NOT_FOUND",
                    "failureReason": f"The repository with name '{name}' does not exist",
                }
            )
            continue
        record = ecr.repositories[arn]
        on_push = scans_on_push(ecr, request.region, record)
        found.append(
            {
                "repositoryArn": arn,
                "repositoryName": name,
                "scanOnPush": on_push,
                "scanFrequency": "SCAN_ON_PUSH" if on_push else "MANUAL",
                "appliedScanFilters": _applied(ecr, request.region, name),
            }
        )
    return {"scanningConfigurations": found, "failures": failures}


def scans_on_push(ecr: Ecr, region: str, repository: Record) -> bool:
    """Whether an image is scanned when it comes: the repository says so, or a rule of its registry."""
    own = repository["imageScanningConfiguration"]["scanOnPush"]
    return own or bool(_applied(ecr, region, repository["repositoryName"]))


def _applied(ecr: Ecr, region: str, name: str) -> list[dict[str, Any]]:
    """The filters of the registry's rule for scans on push that a repository's name fits."""
    rules = [rule for rule in _scanning(ecr, region)["rules"] if rule["scanFrequency"] == "SCAN_ON_PUSH"]
    return [one for rule in rules for one in rule["repositoryFilters"] if _fits(one["filter"], name)]


def _fits(pattern: str, name: str) -> bool:
    """A filter without a wildcard fits every name that contains it.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-filters.html
    """
    return patterns.matches(pattern if "*" in pattern else f"*{pattern}*", name)


def _scanning(ecr: Ecr, region: str) -> dict[str, Any]:
    return ecr.settings_of(region).get("scanning", {"scanType": "BASIC", "rules": []})


def _values(name: str) -> tuple[str, ...]:
    if name not in _SETTINGS:
        raise AwsError("InvalidParameterException", f"There is no account setting '{name}'.")
    return _SETTINGS[name]


OPERATIONS = {
    "DescribeRegistry": describe_registry,
    "GetAccountSetting": get_account_setting,
    "PutAccountSetting": put_account_setting,
    "PutRegistryScanningConfiguration": put_registry_scanning_configuration,
    "GetRegistryScanningConfiguration": get_registry_scanning_configuration,
    "PutImageScanningConfiguration": put_image_scanning_configuration,
    "BatchGetRepositoryScanningConfiguration": batch_get_repository_scanning_configuration,
}
