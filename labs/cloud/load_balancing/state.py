"""What Elastic Load Balancing knows: its tables, and those it talks to. Every operation gets it as first argument."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.frame import aws
from labs.cloud.frame.background import Background
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Services
from labs.cloud.frame.signals import Signals
from labs.cloud.frame.store import Record, Store, Table

Resolve = Callable[[str, str], Awaitable[str | None]]


async def private_address(region: str, instance: str) -> str | None:
    """The private address of a running EC2 instance of the backend; None if it has none or does not run.

    Raises:
        AwsError: there is no such instance.
    """
    try:
        answer = await aws.call("ec2", "describe_instances", region=region, InstanceIds=[instance])
    except ClientError:
        answer = {"Reservations": []}
    found = [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
    if not found:
        raise AwsError("InvalidTarget", f"The following targets are not in a running state or do not exist: {instance}")
    running = found[0].get("State", {}).get("Name") == "running"
    # Where the engine could not give an instance its own address, the instance says so in a tag.
    tags = {tag["Key"]: tag["Value"] for tag in found[0].get("Tags", [])}
    return tags.get("course:private-ip", found[0].get("PrivateIpAddress")) if running else None


@dataclass
class LoadBalancing:
    """The state of Elastic Load Balancing. Every table is keyed by ARN and holds records in the shape of the API.

    Members of ours in the records: `_tags`, `_attributes`; a load balancer's `_network` (VPC key and address range),
    `_doors` (listener port to the port on 127.0.0.1); a target group's `_targets` (see `targets.py`) and `_user`, the
    load balancer that has taken it up; a rule's `_listener`.

    Args:
        store: where the tables are kept.
        services: the other services of ours, by signing name.
        signals: hints from and to them.
        resolve_instance: (region, instance id) to the address that its containers are reached at; None if stopped.
    """

    store: Store
    services: Services
    signals: Signals
    resolve_instance: Resolve = private_address
    background: Background = field(default_factory=Background)
    wake: Callable[[str], None] = lambda _: None  # told a load balancer's ARN when its records have changed

    def __post_init__(self) -> None:
        self.load_balancers: Table = self.store.table("elb.load-balancers")
        self.target_groups: Table = self.store.table("elb.target-groups")
        self.listeners: Table = self.store.table("elb.listeners")
        self.rules: Table = self.store.table("elb.rules")

    def load_balancer(self, arn: str) -> Record:
        """The load balancer with this ARN.

        Raises:
            AwsError: LoadBalancerNotFound.
        """
        return _get(self.load_balancers, arn, "LoadBalancerNotFound", f"Load balancer '{arn}' not found")

    def target_group(self, arn: str) -> Record:
        """The target group with this ARN.

        Raises:
            AwsError: TargetGroupNotFound.
        """
        return _get(self.target_groups, arn, "TargetGroupNotFound", f"Target group '{arn}' not found")

    def listener(self, arn: str) -> Record:
        """The listener with this ARN.

        Raises:
            AwsError: ListenerNotFound.
        """
        return _get(self.listeners, arn, "ListenerNotFound", f"Listener '{arn}' not found")

    def rule(self, arn: str) -> Record:
        """The rule with this ARN.

        Raises:
            AwsError: RuleNotFound.
        """
        return _get(self.rules, arn, "RuleNotFound", f"Rule '{arn}' not found")

    def listeners_of(self, load_balancer: str) -> list[Record]:
        """The listeners of a load balancer, by its ARN; the lowest port first."""
        found = (one for one in self.listeners.values() if one["LoadBalancerArn"] == load_balancer)
        return sorted(found, key=lambda one: one["Port"])

    def rules_of(self, listener: str) -> list[Record]:
        """The rules of a listener, by its ARN, in the order in which they are tried; the default rule is the last."""
        found = (one for one in self.rules.values() if one["_listener"] == listener)
        return sorted(found, key=lambda one: 50_001 if one["IsDefault"] else int(one["Priority"]))

    def groups_of(self, load_balancer: str) -> list[str]:
        """The ARNs of the target groups that the rules of a load balancer forward to."""
        found: dict[str, None] = {}
        for listener in self.listeners_of(load_balancer):
            for rule in self.rules_of(listener["ListenerArn"]):
                found |= dict.fromkeys(groups_in(rule["Actions"]))
        return [arn for arn in found if arn in self.target_groups]

    def users_of(self, target_group: str) -> list[str]:
        """The ARNs of the load balancers that forward to a target group: none or one."""
        found: dict[str, None] = {}
        for rule in self.rules.values():
            listener = self.listeners.get(rule["_listener"])
            if listener and target_group in groups_in(rule["Actions"]):
                found[listener["LoadBalancerArn"]] = None
        return list(found)


def groups_in(actions: list[dict[str, Any]]) -> list[str]:
    """The ARNs of the target groups in actions."""
    found: dict[str, None] = {}
    for action in actions:
        if "TargetGroupArn" in action:
            found[action["TargetGroupArn"]] = None
        for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
            found[group["TargetGroupArn"]] = None
    return list(found)


def _get(table: Table, arn: str, code: str, message: str) -> Record:
    if arn not in table:
        raise AwsError(code, message)
    return table[arn]
