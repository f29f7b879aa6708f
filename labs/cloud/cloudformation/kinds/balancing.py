"""`AWS::ElasticLoadBalancingV2::*`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ElasticLoadBalancingV2.html
"""

import asyncio
from typing import Any

from labs.cloud.cloudformation.kinds import properties
from labs.cloud.cloudformation.kinds.kind import Kind, Work, gone, handler_reason
from labs.cloud.cloudformation.kinds.properties import RefusedError, translate
from labs.cloud.frame import arns
from labs.cloud.frame.errors import AwsError

SERVICE = "elasticloadbalancing"
LOOK_SECONDS = 0.25
MOST_NAMED = 32

_BALANCER = properties.inputs("elbv2", "CreateLoadBalancer")
_GROUP = properties.inputs("elbv2", "CreateTargetGroup")
_LISTENER = properties.inputs("elbv2", "CreateListener")
_RULE = properties.inputs("elbv2", "CreateRule")
_BALANCER_ATTRIBUTES = properties.inputs("elbv2", "ModifyLoadBalancerAttributes")["Attributes"]
_GROUP_ATTRIBUTES = properties.inputs("elbv2", "ModifyTargetGroupAttributes")["Attributes"]
_LISTENER_ATTRIBUTES = properties.inputs("elbv2", "ModifyListenerAttributes")["Attributes"]
_TARGETS = properties.inputs("elbv2", "RegisterTargets")["Targets"]
_CHECK = ("HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath", "HealthCheckEnabled",
          "HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount",
          "UnhealthyThresholdCount", "Matcher")  # fmt: skip


def _short(work: Work) -> str:
    """A name of 32 letters at most: the first five of the stack and of the logical id, and something random."""
    seed = work.record["_seed"]
    return f"{work.stack['StackName'][:9].strip('-')}-{work.logical[:9]}-{seed}"[:MOST_NAMED]


async def _create_balancer(work: Work) -> None:
    given = {key: value for key, value in work.properties.items() if key not in ("LoadBalancerAttributes", "Tags")}
    wanted = translate(given, _BALANCER)
    wanted.setdefault("Name", _short(work))
    if not work.physical:
        await _require_free(work, "DescribeLoadBalancers", "LoadBalancers", wanted["Name"])
        made = (await work.call(SERVICE, "CreateLoadBalancer", **wanted, Tags=work.tags()))["LoadBalancers"][0]
        work.made(
            made["LoadBalancerArn"],
            LoadBalancerArn=made["LoadBalancerArn"],
            DNSName=made["DNSName"],
            CanonicalHostedZoneID=made["CanonicalHostedZoneId"],
            LoadBalancerFullName=arns.resource(made["LoadBalancerArn"]).removeprefix("loadbalancer/"),
            LoadBalancerName=made["LoadBalancerName"],
            SecurityGroups=made.get("SecurityGroups", []),
        )
    await _set_attributes(work, "LoadBalancerAttributes", "ModifyLoadBalancerAttributes", "LoadBalancerArn",
                          _BALANCER_ATTRIBUTES)  # fmt: skip
    while True:
        work.go_on()
        found = await work.call(SERVICE, "DescribeLoadBalancers", LoadBalancerArns=[work.physical])
        state = found["LoadBalancers"][0]["State"]
        if state["Code"].startswith("active"):
            return
        if state["Code"] == "failed":
            raise RefusedError(handler_reason(state.get("Reason", "The load balancer could not be made."),
                                              "NotStabilized"))  # fmt: skip
        await asyncio.sleep(LOOK_SECONDS)


async def _update_balancer(work: Work) -> None:
    wanted = translate(
        {key: work.properties[key] for key in ("Subnets", "SubnetMappings", "SecurityGroups", "IpAddressType")
         if key in work.properties},
        _BALANCER,
    )  # fmt: skip
    if work.changed("Subnets", "SubnetMappings"):
        places = {key: wanted[key] for key in ("Subnets", "SubnetMappings") if key in wanted}
        await work.call(SERVICE, "SetSubnets", LoadBalancerArn=work.physical, **places)
    if work.changed("SecurityGroups") and "SecurityGroups" in wanted:
        answer = await work.call(
            SERVICE, "SetSecurityGroups", LoadBalancerArn=work.physical, SecurityGroups=wanted["SecurityGroups"]
        )
        work.tell(SecurityGroups=answer["SecurityGroupIds"])
    if work.changed("IpAddressType"):
        await work.call(
            SERVICE,
            "SetIpAddressType",
            LoadBalancerArn=work.physical,
            IpAddressType=wanted.get("IpAddressType", "ipv4"),
        )
    await _set_attributes(work, "LoadBalancerAttributes", "ModifyLoadBalancerAttributes", "LoadBalancerArn",
                          _BALANCER_ATTRIBUTES)  # fmt: skip
    await _retag(work)


async def _delete_balancer(work: Work) -> None:
    await gone(work, SERVICE, "DeleteLoadBalancer", LoadBalancerArn=work.physical)


async def _create_group(work: Work) -> None:
    special = ("TargetGroupAttributes", "Targets", "Tags")
    wanted = translate({key: value for key, value in work.properties.items() if key not in special}, _GROUP)
    wanted.setdefault("Name", _short(work))
    if not work.physical:
        await _require_free(work, "DescribeTargetGroups", "TargetGroups", wanted["Name"])
        made = (await work.call(SERVICE, "CreateTargetGroup", **wanted, Tags=work.tags()))["TargetGroups"][0]
        arn = made["TargetGroupArn"]
        work.made(
            arn, TargetGroupArn=arn, TargetGroupFullName=arns.resource(arn), TargetGroupName=made["TargetGroupName"],
            LoadBalancerArns=[],
        )  # fmt: skip
    await _set_attributes(work, "TargetGroupAttributes", "ModifyTargetGroupAttributes", "TargetGroupArn",
                          _GROUP_ATTRIBUTES)  # fmt: skip
    await _set_targets(work)


async def _update_group(work: Work) -> None:
    wanted = translate({key: work.properties[key] for key in _CHECK if key in work.properties}, _GROUP)
    if work.changed(*_CHECK) and wanted:
        await work.call(SERVICE, "ModifyTargetGroup", TargetGroupArn=work.physical, **wanted)
    await _set_attributes(work, "TargetGroupAttributes", "ModifyTargetGroupAttributes", "TargetGroupArn",
                          _GROUP_ATTRIBUTES)  # fmt: skip
    await _set_targets(work)
    await _retag(work)


async def _delete_group(work: Work) -> None:
    await gone(work, SERVICE, "DeleteTargetGroup", TargetGroupArn=work.physical)


async def _set_targets(work: Work) -> None:
    def read(found: Any) -> list[dict[str, Any]]:
        return translate({"Targets": found or []}, {"Targets": _TARGETS})["Targets"]

    wanted, before = read(work.properties.get("Targets")), read(work.before.get("Targets"))
    if more := [one for one in wanted if one not in before]:
        await work.call(SERVICE, "RegisterTargets", TargetGroupArn=work.physical, Targets=more)
    if less := [one for one in before if one not in wanted]:
        await work.call(SERVICE, "DeregisterTargets", TargetGroupArn=work.physical, Targets=less)


async def _create_listener(work: Work) -> None:
    wanted = _without(work, _LISTENER, "ListenerAttributes")
    if not work.physical:
        made = (await work.call(SERVICE, "CreateListener", **wanted, Tags=work.tags()))["Listeners"][0]
        work.made(made["ListenerArn"], ListenerArn=made["ListenerArn"])
    await _set_attributes(work, "ListenerAttributes", "ModifyListenerAttributes", "ListenerArn", _LISTENER_ATTRIBUTES)


async def _update_listener(work: Work) -> None:
    wanted = _without(work, _LISTENER, "ListenerAttributes", "LoadBalancerArn")
    await work.call(SERVICE, "ModifyListener", ListenerArn=work.physical, **wanted)
    await _set_attributes(work, "ListenerAttributes", "ModifyListenerAttributes", "ListenerArn", _LISTENER_ATTRIBUTES)
    await _retag(work)


async def _delete_listener(work: Work) -> None:
    await gone(work, SERVICE, "DeleteListener", ListenerArn=work.physical)


async def _create_rule(work: Work) -> None:
    if not work.physical:
        made = (await work.call(SERVICE, "CreateRule", **_without(work, _RULE), Tags=work.tags()))["Rules"][0]
        work.made(made["RuleArn"], RuleArn=made["RuleArn"], IsDefault="false")


async def _update_rule(work: Work) -> None:
    wanted = _without(work, _RULE, "ListenerArn", "Priority")
    if work.changed("Actions", "Conditions", "Transforms"):
        await work.call(SERVICE, "ModifyRule", RuleArn=work.physical, **wanted)
    if work.changed("Priority"):
        one = {"RuleArn": work.physical, "Priority": int(work.properties["Priority"])}
        await work.call(SERVICE, "SetRulePriorities", RulePriorities=[one])
    await _retag(work)


async def _delete_rule(work: Work) -> None:
    await gone(work, SERVICE, "DeleteRule", RuleArn=work.physical)


def _without(work: Work, members: dict[str, Any], *names: str) -> dict[str, Any]:
    """The properties as members, but for some and the tags."""
    return translate({key: one for key, one in work.properties.items() if key not in (*names, "Tags")}, members)


async def _set_attributes(work: Work, name: str, operation: str, key: str, shape: Any) -> None:
    wanted = translate({name: work.properties.get(name) or []}, {name: shape})[name]
    if wanted and wanted != (work.before.get(name) or []):
        await work.call(SERVICE, operation, **{key: work.physical, "Attributes": wanted})


async def _require_free(work: Work, operation: str, member: str, name: str) -> None:
    """The API returns one of the same name and settings; a template cannot take over what is there."""
    try:
        found = (await work.call(SERVICE, operation, Names=[name]))[member]
    except AwsError:
        return
    if found:
        raise AwsError("AlreadyExistsException", f"A resource with the name '{name}' already exists")


async def _retag(work: Work) -> None:
    wanted = work.tags()
    there = (await work.call(SERVICE, "DescribeTags", ResourceArns=[work.physical]))["TagDescriptions"][0]["Tags"]
    if wanted != there:
        await work.call(SERVICE, "AddTags", ResourceArns=[work.physical], Tags=wanted)
    before = {one["Key"] for one in work.before.get("Tags") or []} | set(work.record.get("_stack_tags", []))
    if left := sorted({one["Key"] for one in there} & before - {one["Key"] for one in wanted}):
        await work.call(SERVICE, "RemoveTags", ResourceArns=[work.physical], TagKeys=left)


_PREFIX = "AWS::ElasticLoadBalancingV2::"
KINDS = {
    f"{_PREFIX}LoadBalancer": Kind(
        service=SERVICE,
        known=frozenset({*_BALANCER, "LoadBalancerAttributes"}),
        create=_create_balancer,
        update=_update_balancer,
        delete=_delete_balancer,
        replaced_by=frozenset({"Name", "Scheme", "Type"}),
        name="Name",
        attributes=frozenset({
            "LoadBalancerArn", "DNSName", "CanonicalHostedZoneID", "LoadBalancerFullName", "LoadBalancerName",
            "SecurityGroups",
        }),
    ),
    f"{_PREFIX}TargetGroup": Kind(
        service=SERVICE,
        known=frozenset({*_GROUP, "TargetGroupAttributes", "Targets"}),
        create=_create_group,
        update=_update_group,
        delete=_delete_group,
        replaced_by=frozenset({"IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"}),
        name="Name",
        attributes=frozenset({"TargetGroupArn", "TargetGroupFullName", "TargetGroupName", "LoadBalancerArns"}),
    ),
    f"{_PREFIX}Listener": Kind(
        service=SERVICE,
        known=frozenset({*_LISTENER, "ListenerAttributes"}),
        required=("DefaultActions", "LoadBalancerArn"),
        create=_create_listener,
        update=_update_listener,
        delete=_delete_listener,
        replaced_by=frozenset({"LoadBalancerArn"}),
        attributes=frozenset({"ListenerArn"}),
    ),
    f"{_PREFIX}ListenerRule": Kind(
        service=SERVICE,
        known=frozenset(_RULE),
        required=("Actions", "Priority"),
        create=_create_rule,
        update=_update_rule,
        delete=_delete_rule,
        replaced_by=frozenset({"ListenerArn"}),
        attributes=frozenset({"RuleArn", "IsDefault"}),
    ),
}  # fmt: skip
