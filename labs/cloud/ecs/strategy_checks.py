"""Whether a deployment configuration and the load balancers of a service fit its deployment strategy.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-implementation.html
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.ecs import traffic
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import aws, roles
from labs.cloud.frame.errors import AwsError

INVALID = "InvalidParameterException"
ROLLING, BLUE_GREEN, LINEAR, CANARY = "ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"
MOST_MINUTES = 1440
PAUSE, LAMBDA = "PAUSE", "AWS_LAMBDA"
_OWN = {"linearConfiguration": LINEAR, "canaryConfiguration": CANARY}


def complete(found: dict[str, Any]) -> dict[str, Any]:
    """A deployment configuration with the defaults of its strategy.

    Raises:
        AwsError: its members do not fit together.
    """
    strategy = found["strategy"]
    for member, kind in _OWN.items():
        if member in found and strategy != kind:
            raise AwsError(INVALID, f"{member} can only be used with the {kind} deployment strategy.")
    if strategy == CANARY:
        own = {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10, **found.get("canaryConfiguration", {})}
        _require_percent("canaryPercent", own["canaryPercent"], 0.1)
        _require_minutes("canaryBakeTimeInMinutes", own["canaryBakeTimeInMinutes"])
        found["canaryConfiguration"] = own
    if strategy == LINEAR:
        own = {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6, **found.get("linearConfiguration", {})}
        _require_percent("stepPercent", own["stepPercent"], 3.0)
        _require_minutes("stepBakeTimeInMinutes", own["stepBakeTimeInMinutes"])
        found["linearConfiguration"] = own
    _require_minutes("bakeTimeInMinutes", found.get("bakeTimeInMinutes", 0))
    if strategy == ROLLING and any(one.get("targetType") != PAUSE for one in found.get("lifecycleHooks", [])):
        raise AwsError(INVALID, "Lifecycle hooks of Lambda functions cannot be used with the ROLLING strategy.")
    if strategy == ROLLING and found.get("lifecycleHooks"):
        raise AwsError("UnsupportedFeatureException", "The local AWS of this course has no pauses in rolling updates.")
    found["lifecycleHooks"] = [_hook(one) for one in found.get("lifecycleHooks", [])]
    if not found["lifecycleHooks"]:
        del found["lifecycleHooks"]
    if found.get("earlySuccessCriteria", {}).get("enable"):
        text = "The local AWS of this course has no early success criteria. Leave earlySuccessCriteria out."
        raise AwsError("UnsupportedFeatureException", text)
    alarms = found.get("alarms")
    if alarms and alarms["enable"] and not alarms["alarmNames"]:
        raise AwsError(INVALID, "alarmNames can not be empty when alarms are enabled.")
    return found


async def require(ecs: Ecs, region: str, configuration: Mapping[str, Any], balancers: list[dict[str, Any]]) -> None:
    """Whether the load balancers, hooks and alarms are there and usable.

    Raises:
        AwsError: one is not.
    """
    await _require_alarms(region, configuration.get("alarms", {}))
    strategy = configuration["strategy"]
    if strategy == ROLLING:
        return
    for hook in configuration.get("lifecycleHooks", []):
        if hook["targetType"] == LAMBDA:
            await _require_role(hook["roleArn"], "lambda:InvokeFunction", hook["hookTargetArn"])
    if not balancers and strategy != BLUE_GREEN:
        raise AwsError(INVALID, f"The {strategy} deployment strategy needs a load balancer or Service Connect.")
    for balancer in balancers:
        advanced = balancer.get("advancedConfiguration")
        if not advanced:
            raise AwsError(
                INVALID,
                "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment "
                "strategy.",
            )
        for member in ("alternateTargetGroupArn", "productionListenerRule", "roleArn"):
            if not advanced.get(member):
                raise AwsError(INVALID, f"{member} can not be blank in advancedConfiguration.")
        if advanced["alternateTargetGroupArn"] == balancer["targetGroupArn"]:
            raise AwsError(INVALID, "targetGroupArn and alternateTargetGroupArn must be different target groups.")
        await _require_role(advanced["roleArn"], "elasticloadbalancing:ModifyRule", "*")
        await traffic.require(ecs, region, balancer, strategy)


async def _require_role(arn: str, action: str, resource: str) -> None:
    try:
        await roles.require(arn, "ecs.amazonaws.com", action, resource)
    except roles.RoleError as problem:
        raise AwsError(
            INVALID, f"ECS was unable to assume the role '{arn}', or it does not allow this: {problem}"
        ) from (problem)


async def _require_alarms(region: str, alarms: Mapping[str, Any]) -> None:
    if not alarms.get("enable"):
        return
    names = list(alarms["alarmNames"])
    try:
        answer = await aws.call("cloudwatch", "describe_alarms", region=region, AlarmNames=names)
    except ClientError as problem:
        raise AwsError(INVALID, f"The alarms cannot be read: {problem}") from problem
    known = {one["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for one in answer.get(kind, [])}
    if missing := [name for name in names if name not in known]:
        raise AwsError(INVALID, f"The following alarms do not exist: {', '.join(missing)}")


def _hook(given: Mapping[str, Any]) -> dict[str, Any]:
    hook = {"targetType": LAMBDA, **given}
    if not hook.get("lifecycleStages"):
        raise AwsError(INVALID, "lifecycleStages can not be empty in a lifecycle hook.")
    if hook["targetType"] == LAMBDA:
        for member in ("hookTargetArn", "roleArn"):
            if not hook.get(member):
                raise AwsError(INVALID, f"{member} can not be blank in a lifecycle hook of type AWS_LAMBDA.")
        if ":lambda:" not in hook["hookTargetArn"]:
            raise AwsError(INVALID, f"hookTargetArn is no ARN of a Lambda function: {hook['hookTargetArn']}")
    elif hook.get("hookTargetArn") or hook.get("hookDetails"):
        raise AwsError(INVALID, "hookTargetArn and hookDetails can not be used in a lifecycle hook of type PAUSE.")
    hook["timeoutConfiguration"] = {
        "timeoutInMinutes": MOST_MINUTES, "action": "ROLLBACK", **hook.get("timeoutConfiguration", {}),
    }  # fmt: skip
    return hook


def _require_percent(name: str, value: float, least: float) -> None:
    if not least <= value <= 100.0 or abs(value * 10 - round(value * 10)) > 1e-6:
        raise AwsError(INVALID, f"{name} must be a multiple of 0.1 from {least} to 100.0.")


def _require_minutes(name: str, value: int) -> None:
    if not 0 <= value <= MOST_MINUTES:
        raise AwsError(INVALID, f"{name} must be between 0 and {MOST_MINUTES}.")
