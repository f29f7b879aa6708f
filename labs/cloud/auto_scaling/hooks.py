"""Lifecycle hooks: an instance waits before it is in service, or before it is terminated, until somebody says so.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
"""

import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs import settings
from labs.cloud.auto_scaling.state import INVALID, AutoScaling, group_of, instance_key
from labs.cloud.frame import arns, aws, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

LAUNCHING, LEAVING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
MOST_HOOKS = 50  # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html
CONTINUE, ABANDON = "CONTINUE", "ABANDON"
_GLOBAL_SECONDS = 48 * 3600  # "48 hours or 100 times the heartbeat timeout, whichever is smaller"

log = logging.getLogger(__name__)


async def put(scaling: AutoScaling, request: Request) -> None:
    """PutLifecycleHook: a new one, or what is given of one that is there."""
    group = group_of(scaling, request)
    hook = made(group, request, scaling.hooks.get(f"{group['_key']} {request['LifecycleHookName']}"))
    if hook["_key"] not in scaling.hooks and len(scaling.of_group(scaling.hooks, group)) >= MOST_HOOKS:
        raise AwsError("LimitExceeded", f"An Auto Scaling group can have {MOST_HOOKS} lifecycle hooks.")
    if hook.get("NotificationTargetARN"):
        test = {
            "AutoScalingGroupName": group["AutoScalingGroupName"],
            "AutoScalingGroupARN": group["AutoScalingGroupARN"],
            "Service": "AWS Auto Scaling",
            "Time": clock.iso(clock.now()),
            "AccountId": settings.ACCOUNT,
            "RequestId": str(uuid.uuid4()),
            "Event": "autoscaling:TEST_NOTIFICATION",
        }
        try:
            await _notify(group["_region"], hook["NotificationTargetARN"], test)
        except (ClientError, BotoCoreError) as problem:
            text = f"Unable to publish test message to notification target {hook['NotificationTargetARN']}: {problem}"
            raise AwsError(INVALID, text) from None
        group_of(scaling, request)
    scaling.hooks.put(hook["_key"], hook)


def describe(scaling: AutoScaling, request: Request) -> dict[str, Any]:
    """DescribeLifecycleHooks."""
    names = request.get("LifecycleHookNames")
    found = scaling.of_group(scaling.hooks, group_of(scaling, request))
    return {"LifecycleHooks": [one for one in found if not names or one["LifecycleHookName"] in names]}


def delete(scaling: AutoScaling, request: Request) -> None:
    """DeleteLifecycleHook: instances that wait for it go on."""
    group = group_of(scaling, request)
    name = request["LifecycleHookName"]
    if f"{group['_key']} {name}" not in scaling.hooks:
        raise AwsError(INVALID, f"Lifecycle hook name not found - {name}")
    scaling.hooks.drop(f"{group['_key']} {name}")
    for instance in scaling.members(group):
        if name in instance.get("_waits", {}):
            _answer(scaling, instance, name, CONTINUE)
    scaling.wake(group["_key"])


def complete(scaling: AutoScaling, request: Request) -> None:
    """CompleteLifecycleAction."""
    result = request["LifecycleActionResult"]
    if result not in (CONTINUE, ABANDON):
        raise AwsError(INVALID, f"LifecycleActionResult must be {CONTINUE} or {ABANDON}, and not '{result}'.")
    instance = _waiting(scaling, request)
    _answer(scaling, instance, request["LifecycleHookName"], result)
    scaling.wake(instance["_group"])


def heartbeat(scaling: AutoScaling, request: Request) -> None:
    """RecordLifecycleActionHeartbeat: the wait begins anew, up to the global timeout."""
    instance, name = _waiting(scaling, request), request["LifecycleHookName"]
    hook = scaling.hooks[f"{instance['_group']} {name}"]
    wait = instance["_waits"][name]
    deadline = min(clock.now() + hook["HeartbeatTimeout"], wait["begun"] + hook["GlobalTimeout"])
    instance["_waits"] = {**instance["_waits"], name: {**wait, "deadline": deadline}}
    scaling.keep(instance)
    scaling.wake(instance["_group"])


def made(group: Record, given: Mapping[str, Any], present: Record | None = None) -> Record:
    """A hook's record.

    Raises:
        AwsError: ValidationError.
    """
    seconds = given.get("HeartbeatTimeout", (present or {}).get("HeartbeatTimeout", 3600))
    if not 30 <= seconds <= 7200:
        raise AwsError(INVALID, "HeartbeatTimeout must be between 30 and 7200 seconds.")
    members = (
        "LifecycleTransition", "NotificationTargetARN", "RoleARN", "NotificationMetadata", "DefaultResult",
    )  # fmt: skip
    hook = {
        "DefaultResult": ABANDON,
        **(present or {}),
        **{name: given[name] for name in members if given.get(name)},
        "_key": f"{group['_key']} {given['LifecycleHookName']}",
        "_group": group["_key"],
        "LifecycleHookName": given["LifecycleHookName"],
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "HeartbeatTimeout": seconds,
        "GlobalTimeout": min(_GLOBAL_SECONDS, 100 * seconds),
    }
    if hook.get("LifecycleTransition") not in (LAUNCHING, LEAVING):
        raise AwsError(INVALID, f"LifecycleTransition must be {LAUNCHING} or {LEAVING}.")
    if hook["DefaultResult"] not in (CONTINUE, ABANDON):
        raise AwsError(INVALID, f"DefaultResult must be {CONTINUE} or {ABANDON}.")
    return hook


def begin(scaling: AutoScaling, group: Record, instance: Record, transition: str) -> bool:
    """Makes an instance wait for the hooks of a transition, and tells of it; whether there are any."""
    found = [one for one in scaling.of_group(scaling.hooks, group) if one["LifecycleTransition"] == transition]
    now = clock.now()
    instance["_waits"] = {
        one["LifecycleHookName"]: {
            "token": str(uuid.uuid4()), "begun": now, "deadline": now + one["HeartbeatTimeout"],
            "default": one["DefaultResult"],
        }
        for one in found
    }  # fmt: skip
    instance["_result"] = CONTINUE
    scaling.keep(instance)
    for hook in found:
        _tell(scaling, group, instance, hook)
    return bool(found)


def result(scaling: AutoScaling, instance: Record) -> str | None:
    """How the wait of an instance has ended; None while it waits. What nobody answers in time gets its default."""
    now = clock.now()
    for name, wait in instance.get("_waits", {}).items():
        if wait["deadline"] <= now:
            _answer(scaling, instance, name, wait["default"])
    return None if instance.get("_waits") else instance.get("_result", CONTINUE)


def next_deadline(instance: Record) -> float | None:
    """When the first wait of an instance ends by itself; None if it does not wait."""
    return min((wait["deadline"] for wait in instance.get("_waits", {}).values()), default=None)


def _answer(scaling: AutoScaling, instance: Record, name: str, answer: str) -> None:
    """One hook of an instance is done. "If ABANDON, stops any remaining actions"."""
    left = {other: wait for other, wait in instance["_waits"].items() if other != name and answer == CONTINUE}
    instance["_waits"] = left
    instance["_result"] = answer if answer == ABANDON else instance["_result"]
    scaling.keep(instance)


def _waiting(scaling: AutoScaling, request: Request) -> Record:
    """The instance that waits for the hook that a request names.

    Raises:
        AwsError: ValidationError.
    """
    group = group_of(scaling, request)
    name, token, instance_id = (
        request["LifecycleHookName"], request.get("LifecycleActionToken"), request.get("InstanceId"),
    )  # fmt: skip
    if not token and not instance_id:
        raise AwsError(INVALID, "Either LifecycleActionToken or InstanceId must be specified.")
    for instance in scaling.members(group):
        wait = instance.get("_waits", {}).get(name)
        if wait and token in (None, wait["token"]) and instance_id in (None, instance["InstanceId"]):
            return scaling.instances[instance_key(group["_region"], instance["InstanceId"])]
    what = f"instance ID {instance_id}" if instance_id else f"token {token}"
    raise AwsError(INVALID, f"No active Lifecycle Action found with {what}")


def _tell(scaling: AutoScaling, group: Record, instance: Record, hook: Record) -> None:
    """Tells EventBridge, and the hook's own target, that an instance waits.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
    """
    launching = hook["LifecycleTransition"] == LAUNCHING
    detail = {
        "LifecycleActionToken": instance["_waits"][hook["LifecycleHookName"]]["token"],
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "LifecycleHookName": hook["LifecycleHookName"],
        "EC2InstanceId": instance["InstanceId"],
        "LifecycleTransition": hook["LifecycleTransition"],
        "Origin": "EC2" if launching else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if launching else "EC2",
    }
    if hook.get("NotificationMetadata"):
        detail["NotificationMetadata"] = hook["NotificationMetadata"]
    kind = "EC2 Instance-launch Lifecycle Action" if launching else "EC2 Instance-terminate Lifecycle Action"
    scaling.publish(group["_region"], kind, [group["AutoScalingGroupARN"]], detail, "aws.autoscaling")
    if target := hook.get("NotificationTargetARN"):
        about = {"Service": "AWS Auto Scaling", "Time": clock.iso(clock.now()), "AccountId": settings.ACCOUNT}
        work = _notify_quietly(group["_region"], target, {**about, **detail})
        scaling.background.spawn(work, f"lifecycle hook {hook['LifecycleHookName']}")


async def _notify_quietly(region: str, target: str, content: dict[str, Any]) -> None:
    try:
        await _notify(region, target, content)
    except (ClientError, BotoCoreError) as problem:
        log.warning("the notification of a lifecycle hook did not reach %s: %s", target, problem)


async def _notify(region: str, target: str, content: dict[str, Any]) -> None:
    """Sends a message to a queue or a topic."""
    text = json.dumps(content)
    if target.split(":")[2] == "sns":
        await aws.call("sns", "publish", region=region, TopicArn=target, Message=text, Subject="Auto Scaling")
        return
    queue = await aws.call("sqs", "get_queue_url", region=region, QueueName=arns.resource(target))
    await aws.call("sqs", "send_message", region=region, QueueUrl=queue["QueueUrl"], MessageBody=text)


OPERATIONS = {
    "PutLifecycleHook": put,
    "DescribeLifecycleHooks": describe,
    "DeleteLifecycleHook": delete,
    "CompleteLifecycleAction": complete,
    "RecordLifecycleActionHeartbeat": heartbeat,
}
