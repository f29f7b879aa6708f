"""How a group gets new instances, and comes back to those that were launched for it when nobody could write it down."""

import asyncio
import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.auto_scaling import activities, choosing, ec2, tagging, templates
from labs.cloud.auto_scaling.ec2 import Subnet
from labs.cloud.auto_scaling.state import PENDING, AutoScaling, instance_key, is_active, stamp
from labs.cloud.auto_scaling.templates import Plan, Template
from labs.cloud.frame import clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.store import Record

TEMPLATE_TAG, VERSION_TAG = "aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version"
BACK_OFF = clock.lesson(60)  # after a launch that failed; it doubles
LONGEST_BACK_OFF = clock.lesson(15 * 60)
MOST_AT_ONCE = 20

log = logging.getLogger(__name__)


async def launch(scaling: AutoScaling, group: Record, count: int, why: str) -> None:
    """Launches instances for a group, all at the same time, and writes down how that went.

    Args:
        scaling: the state.
        group: the group.
        count: how many.
        why: what changed the desired capacity, as the activity tells it; empty if nothing did.
    """
    now = clock.now()
    members = [one for one in scaling.members(group) if is_active(one)]
    present = len(members)
    started = (
        f"At {stamp(now)} an instance was started in response to a difference between desired and actual capacity, "
        f"increasing the capacity from {present} to {present + count}."
    )
    replaced = f"At {stamp(now)} an instance was launched in response to an unhealthy instance needing to be replaced."
    replaces = not why and bool(group.get("_served"))
    cause = "  ".join(part for part in (why, replaced if replaces else started) if part)
    planned: list[Record] = []
    plans: list[tuple[Plan, Subnet]] = []
    try:
        for _ in range(min(count, MOST_AT_ONCE)):
            subnet = choosing.subnet([Subnet(*one) for one in group["_subnets"]], [*members, *planned])
            plan = await templates.plan(group, [*members, *planned])
            plans.append((plan, subnet))
            planned.append(_record(group, "", plan, subnet))
    except AwsError as problem:
        _failed(scaling, group, cause, problem.message, {})
        return
    scaling.launching.add(group["_key"])
    try:
        done = await asyncio.gather(*(_launch(scaling, group, *one, cause) for one in plans))
    finally:
        scaling.launching.discard(group["_key"])
    if all(done) and (kept := scaling.groups.get(group["_key"])):
        scaling.groups.put(group["_key"], {**kept, "_not_before": 0.0, "_failures": 0, "_served": True})


def adopt(scaling: AutoScaling, group: Record, found: dict[str, dict[str, Any]]) -> None:
    """Takes in the instances that carry the group's tag and are on no record: launched just before a kill.

    Args:
        scaling: the state.
        group: the group.
        found: what EC2 says of instances, by their id.
    """
    subnets = {one[0]: Subnet(*one) for one in group["_subnets"]}
    for instance_id, seen in found.items():
        known = instance_key(group["_region"], instance_id) in scaling.instances or instance_id in scaling.released
        if known or seen["State"]["Name"] in ec2.GONE or seen.get("SubnetId") not in subnets:
            continue
        tags = {tag["Key"]: tag["Value"] for tag in seen.get("Tags", [])}
        template = group.get("LaunchTemplate") or group["MixedInstancesPolicy"]["LaunchTemplate"].get(
            "LaunchTemplateSpecification", {}
        )
        told = {**template, "LaunchTemplateId": tags.get(TEMPLATE_TAG, ""), "Version": tags.get(VERSION_TAG, "0")}
        plan = Plan(Template(told, {}), seen["InstanceType"], spot=False)
        instance = _record(group, instance_id, plan, subnets[seen["SubnetId"]])
        cause = f"At {stamp()} an instance that was launched for the group was found again."
        instance["_activity"] = activities.begin(
            scaling, group, f"Launching a new EC2 instance: {instance_id}", cause, **_place(subnets[seen["SubnetId"]])
        )["ActivityId"]
        scaling.keep(instance)
        log.info("%s: %s was found again", group["AutoScalingGroupName"], instance_id)


async def _launch(scaling: AutoScaling, group: Record, plan: Plan, subnet: Subnet, cause: str) -> bool:
    """Launches one instance; whether EC2 did it."""
    activity = activities.begin(scaling, group, "Launching a new EC2 instance", cause, **_place(subnet))
    tags = {
        **tagging.at_launch(group),
        ec2.GROUP_TAG: group["AutoScalingGroupName"],
        TEMPLATE_TAG: plan.template.told["LaunchTemplateId"],
        VERSION_TAG: plan.template.told["Version"],
    }
    more: dict[str, Any] = {"InstanceType": plan.instance_type}
    if plan.spot:
        more["InstanceMarketOptions"] = {"MarketType": "spot"}
    try:
        made = await ec2.launch(group["_region"], plan.template.data, subnet, tags, **more)
    except (ClientError, BotoCoreError) as problem:
        text = problem.response["Error"]["Message"] if isinstance(problem, ClientError) else str(problem)
        scaling.activities.drop(activity["ActivityId"])
        _failed(scaling, group, cause, text, _place(subnet))
        return False
    instance_id = made["InstanceId"]
    activities.update(
        scaling, activity["ActivityId"], Description=f"Launching a new EC2 instance: {instance_id}", Progress=30
    )
    instance = _record(group, instance_id, plan, subnet)
    scaling.keep({**instance, "_activity": activity["ActivityId"], "ImageId": made.get("ImageId", "")})
    scaling.store.flush_quietly()
    return True


def _record(group: Record, instance_id: str, plan: Plan, subnet: Subnet) -> Record:
    return {
        "_group": group["_key"],
        "_region": group["_region"],
        "_subnet": subnet.subnet_id,
        "_launched": clock.now(),
        "_spot": plan.spot,
        "InstanceId": instance_id,
        "InstanceType": plan.instance_type,
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id or None,
        "LifecycleState": PENDING,
        "HealthStatus": "Healthy",
        "LaunchTemplate": plan.template.told,
        "ProtectedFromScaleIn": group["NewInstancesProtectedFromScaleIn"],
    }


def _failed(scaling: AutoScaling, group: Record, cause: str, reason: str, place: dict[str, str]) -> None:
    """Writes down a launch that failed, and waits longer each time before the next one."""
    text = f"{reason.rstrip('.')}. Launching EC2 instance failed."
    description = f"Launching a new EC2 instance.  Status Reason: {text}"
    activity = activities.begin(scaling, group, description, cause, **place)
    activities.end(scaling, activity["ActivityId"], "Failed", text)
    kept = scaling.groups.get(group["_key"])
    if kept is None:
        return
    failures = kept.get("_failures", 0) + 1
    wait = min(BACK_OFF * 2 ** min(failures - 1, 10), LONGEST_BACK_OFF)
    scaling.groups.put(group["_key"], {**kept, "_failures": failures, "_not_before": clock.now() + wait})
    detail = {
        "StatusCode": "Failed",
        "AutoScalingGroupName": group["AutoScalingGroupName"],
        "ActivityId": activity["ActivityId"],
        "StatusMessage": text,
        "Cause": cause,
        "Description": description,
        "EC2InstanceId": "",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    scaling.publish(
        group["_region"], "EC2 Instance Launch Unsuccessful", [group["AutoScalingGroupARN"]], detail, "aws.autoscaling"
    )


def _place(subnet: Subnet) -> dict[str, str]:
    return {"subnet": subnet.subnet_id, "zone": subnet.zone}
