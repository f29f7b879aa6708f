"""What a service is asked to be, checked and completed with App Runner's defaults.

https://docs.aws.amazon.com/apprunner/latest/api/API_CreateService.html
"""

import re
from collections.abc import Mapping
from typing import Any

from labs.cloud.app_runner import auto_scaling, connectors, observability, repositories
from labs.cloud.app_runner.state import INVALID, AppRunner
from labs.cloud.engine import images
from labs.cloud.frame import roles
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

BUILD_PRINCIPAL = "build.apprunner.amazonaws.com"
TASKS_PRINCIPAL = "tasks.apprunner.amazonaws.com"
DEFAULT_PORT = "8080"
# https://docs.aws.amazon.com/apprunner/latest/dg/architecture.html#architecture.vcpu-memory
SIZES = {256: (512, 1024), 512: (1024,), 1024: (2048, 3072, 4096), 2048: (4096, 6144), 4096: (8192, 10240, 12288)}
_INSTANCE = {"Cpu": "1024", "Memory": "2048"}
_HEALTH = {"Protocol": "TCP", "Path": "/", "Interval": 5, "Timeout": 2, "HealthyThreshold": 1, "UnhealthyThreshold": 5}
_RESERVED = ("PORT",)
_PUBLIC = "public.ecr.aws/"
_AWS_PREFIX = "AWSAPPRUNNER"


async def configured(runner: AppRunner, request: Request, before: Mapping[str, Any] | None = None) -> Record:
    """The members of `state.CONFIGURED` that a request asks for, whole.

    Args:
        runner: the state.
        request: of CreateService or UpdateService.
        before: the service's record, for what an update leaves out.

    Raises:
        AwsError: InvalidRequestException or ResourceNotFoundException. Nothing has changed.
    """
    before = before or {}
    region = request.region
    source = request.get("SourceConfiguration")
    if source and before:
        source = _kept(source, before["SourceConfiguration"])
    instance = {**(before.get("InstanceConfiguration") or _INSTANCE), **(request.get("InstanceConfiguration") or {})}
    health = {**(before.get("HealthCheckConfiguration") or _HEALTH), **(request.get("HealthCheckConfiguration") or {})}
    found: Record = {
        "SourceConfiguration": await _source(runner, source, region) if source else before["SourceConfiguration"],
        "InstanceConfiguration": await _instance(instance),
        "HealthCheckConfiguration": health,
        "NetworkConfiguration": _network(runner, request, before, region),
        "AutoScalingConfigurationSummary": before.get("AutoScalingConfigurationSummary")
        or auto_scaling.summary(auto_scaling.default(runner, region)),
    }
    if arn := request.get("AutoScalingConfigurationArn"):
        found["AutoScalingConfigurationSummary"] = auto_scaling.summary(auto_scaling.find(runner, arn))
    observed = request.get("ObservabilityConfiguration") or before.get("ObservabilityConfiguration")
    if observed:
        found["ObservabilityConfiguration"] = observability.enabled(runner, observed)
    return found


def port(record: Mapping[str, Any]) -> int:
    """The port at which an application listens.

    Args:
        record: a service's record or its active revision.
    """
    return int(image_configuration(record).get("Port") or DEFAULT_PORT)


def image_configuration(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Port, start command and variables of a service, whatever its source is."""
    source = record["SourceConfiguration"]
    if "ImageRepository" in source:
        return source["ImageRepository"].get("ImageConfiguration") or {}
    return record.get("_code") or (source["CodeRepository"].get("CodeConfiguration") or {}).get(
        "CodeConfigurationValues", {}
    )


def mebibytes_and_units(instance: Mapping[str, str]) -> tuple[int, int]:
    """Memory in MiB and CPU units of an instance configuration, which may say `1 vCPU` and `2 GB`."""
    cpu, memory = instance["Cpu"], instance["Memory"]
    units = round(float(cpu.split()[0]) * 1024) if "vCPU" in cpu else int(cpu)
    mebibytes = round(float(memory.split()[0]) * 1024) if "GB" in memory else int(memory)
    return mebibytes, units


def _kept(source: Record, before: Record) -> Record:
    """A changed source, with the automatic deployments and the authentication of before where it says nothing."""
    return {
        **{name: before[name] for name in ("AutoDeploymentsEnabled", "AuthenticationConfiguration") if name in before},
        **source,
    }


async def _source(runner: AppRunner, source: Record, region: str) -> Record:
    image, code = source.get("ImageRepository"), source.get("CodeRepository")
    if bool(image) == bool(code):
        raise AwsError(INVALID, "SourceConfiguration must have either an ImageRepository or a CodeRepository.")
    authentication = source.get("AuthenticationConfiguration") or {}
    if code:
        checked = repositories.checked(runner, code, authentication, region)
        return {"AutoDeploymentsEnabled": True, **source, "CodeRepository": checked}
    name = image["ImageIdentifier"]
    public = image["ImageRepositoryType"] == "ECR_PUBLIC"
    if public != name.startswith(_PUBLIC) or (not public and images.own_repository(name) is None):
        raise AwsError(INVALID, f"Invalid Image Identifier: {name} is not an image of {image['ImageRepositoryType']}.")
    if public and source.get("AutoDeploymentsEnabled"):
        raise AwsError(INVALID, "AutoDeploymentsEnabled is not supported for images of ECR Public.")
    if not public:
        role = authentication.get("AccessRoleArn")
        if not role:
            raise AwsError(INVALID, "Authentication configuration is invalid: AccessRoleArn is required for ECR.")
        await _require_role(role, BUILD_PRINCIPAL, "access")
    configuration = image.get("ImageConfiguration") or {}
    _check_values(configuration)
    image = {**image, "ImageConfiguration": {"Port": DEFAULT_PORT, **configuration}}
    return {"AutoDeploymentsEnabled": not public, **source, "ImageRepository": image}


def _check_values(configuration: Mapping[str, Any]) -> None:
    """Port and variables of an image or of code."""
    number = configuration.get("Port", DEFAULT_PORT)
    if not re.fullmatch(r"\d{1,5}", number) or not 0 < int(number) < 65536:
        raise AwsError(INVALID, f"Port must be a number between 1 and 65535, and not '{number}'.")
    plain = configuration.get("RuntimeEnvironmentVariables") or {}
    secret = configuration.get("RuntimeEnvironmentSecrets") or {}
    for name in [*plain, *secret]:
        if name in _RESERVED or name.startswith(_AWS_PREFIX):
            raise AwsError(INVALID, f"The environment variable name {name} is reserved for App Runner.")
    if both := sorted(set(plain) & set(secret)):
        raise AwsError(INVALID, f"{', '.join(both)} cannot be an environment variable and a secret at once.")


async def _instance(instance: Record) -> Record:
    mebibytes, units = mebibytes_and_units(instance)
    if mebibytes not in SIZES.get(units, ()):
        raise AwsError(
            INVALID,
            f"Invalid CPU and memory combination: {units} CPU units cannot have {mebibytes} MB of memory. "
            f"Allowed is {', '.join(map(str, SIZES.get(units, ()))) or 'nothing'}.",
        )
    if role := instance.get("InstanceRoleArn"):
        await _require_role(role, TASKS_PRINCIPAL, "instance")
    return {**instance, "Cpu": str(units), "Memory": str(mebibytes)}


async def _require_role(role: str, principal: str, what: str) -> None:
    if not await roles.trusts(role, principal):
        raise AwsError(INVALID, f"Error in assuming {what} role {role}: {principal} is not trusted by it.")


def _network(runner: AppRunner, request: Request, before: Mapping[str, Any], region: str) -> Record:
    asked = request.get("NetworkConfiguration") or {}
    old = before.get("NetworkConfiguration") or {
        "EgressConfiguration": {"EgressType": "DEFAULT"},
        "IngressConfiguration": {"IsPubliclyAccessible": True},
        "IpAddressType": "IPV4",
    }
    found = {**old, **asked}
    egress = found["EgressConfiguration"]
    kind, arn = egress.get("EgressType", "DEFAULT"), egress.get("VpcConnectorArn")
    if (kind == "VPC") != bool(arn):
        raise AwsError(INVALID, "EgressType VPC and a VpcConnectorArn need each other.")
    if arn:
        connectors.find(runner, arn)
    return {**found, "EgressConfiguration": {"EgressType": kind, **egress}}
