"""Elastic Load Balancing as a service: its operations, its data planes, its metrics."""

import asyncio
import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException

from labs.cloud.engine import docker
from labs.cloud.frame import arns, aws
from labs.cloud.frame.service import Service
from labs.cloud.load_balancing import (
    container,
    door,
    limits,
    listeners,
    load_balancers,
    metrics,
    rules,
    tagging,
    target_groups,
    targets,
    tls,
)
from labs.cloud.load_balancing.plane import Plane
from labs.cloud.load_balancing.state import LoadBalancing

SIGNING_NAME = "elasticloadbalancing"
OPERATIONS = {
    "AddListenerCertificates": tls.add,
    "AddTags": tagging.add,
    "CreateListener": listeners.create,
    "CreateLoadBalancer": load_balancers.create,
    "CreateRule": rules.create,
    "CreateTargetGroup": target_groups.create,
    "DeleteListener": listeners.delete,
    "DeleteLoadBalancer": load_balancers.delete,
    "DeleteRule": rules.delete,
    "DeleteTargetGroup": target_groups.delete,
    "DeregisterTargets": targets.deregister,
    "DescribeAccountLimits": limits.describe_limits,
    "DescribeListenerAttributes": listeners.describe_attributes,
    "DescribeListenerCertificates": tls.describe,
    "DescribeListeners": listeners.describe,
    "DescribeLoadBalancerAttributes": load_balancers.describe_attributes,
    "DescribeLoadBalancers": load_balancers.describe,
    "DescribeRules": rules.describe,
    "DescribeSSLPolicies": limits.describe_policies,
    "DescribeTags": tagging.describe,
    "DescribeTargetGroupAttributes": target_groups.describe_attributes,
    "DescribeTargetGroups": target_groups.describe,
    "DescribeTargetHealth": targets.describe_health,
    "ModifyListener": listeners.modify,
    "ModifyListenerAttributes": listeners.modify_attributes,
    "ModifyLoadBalancerAttributes": load_balancers.modify_attributes,
    "ModifyRule": rules.modify,
    "ModifyTargetGroup": target_groups.modify,
    "ModifyTargetGroupAttributes": target_groups.modify_attributes,
    "RegisterTargets": targets.register,
    "RemoveListenerCertificates": tls.remove,
    "RemoveTags": tagging.remove,
    "SetIpAddressType": load_balancers.set_ip_address_type,
    "SetRulePriorities": rules.set_priorities,
    "SetSecurityGroups": load_balancers.set_security_groups,
    "SetSubnets": load_balancers.set_subnets,
}

log = logging.getLogger(__name__)


class ElasticLoadBalancing:
    """The service.

    Args:
        lb: its state.
    """

    def __init__(self, lb: LoadBalancing) -> None:
        self._lb = lb
        self._planes: dict[str, Plane] = {}
        self._running = False
        lb.wake = self._wake
        self.service = Service("elbv2", lb, OPERATIONS, lb.store, invalid="ValidationError")

    async def start(self) -> None:
        """Takes up the load balancers on record, with the containers that still run; removes those of no record."""
        self._running = True
        names = {container.Spec(arn, "", "", None, {}).container for arn in self._lb.load_balancers}
        self._lb.background.spawn(self._sweep(names), "sweep of load balancers")
        for arn in self._lb.load_balancers:
            self._wake(arn)
        self._lb.background.spawn(self._report(), "metrics of load balancers")

    async def stop(self) -> None:
        """Removes the containers. What is wanted, and what is known of the targets, stays on record."""
        self._running = False
        await self._lb.background.end()
        self._planes.clear()
        try:
            await docker.run(container.remove_others, set())
        except DockerException as problem:
            log.warning("containers of load balancers may be left: %s", problem)
        for arn in self._lb.load_balancers:
            container.forget(arn)

    async def balance(
        self, scope: door.Scope, receive: door.Receive, send: door.Send, host: str, port: int | None
    ) -> None:
        """ASGI: a request to the load balancer with this host name, see `door.balance`."""
        await door.balance(self._lb, scope, receive, send, host, port)

    def door(self, balancer: str, port: int) -> int | None:
        """The port on 127.0.0.1 where a listener answers; None if it does not yet.

        Args:
            balancer: the load balancer's ARN.
            port: the listener's.
        """
        return self._lb.load_balancers.get(balancer, {}).get("_doors", {}).get(str(port))

    def requests_per_target(self, target_group: str, since: float) -> float:
        """How many requests each healthy target of a group got since a time, on average.

        Args:
            target_group: its ARN.
            since: seconds since the epoch, 15 minutes ago at most.
        """
        group = self._lb.target_groups.get(target_group)
        if group is None:
            return 0.0
        number = sum(
            self._planes[balancer].traffic.requests(target_group, since)
            for balancer in self._lb.users_of(target_group)
            if balancer in self._planes
        )
        healthy = sum(target["_health"]["State"] == "healthy" for target in group["_targets"].values())
        return number / max(1, healthy)

    def _wake(self, arn: str) -> None:
        if arn in self._planes:
            self._planes[arn].wake()
        elif self._running and arn in self._lb.load_balancers:
            self._planes[arn] = Plane(self._lb, arn)
            self._lb.background.spawn(self._run(arn), f"load balancer {arn}")

    async def _run(self, arn: str) -> None:
        try:
            await self._planes[arn].run()
        finally:
            self._planes.pop(arn, None)

    async def _sweep(self, kept: set[str]) -> None:
        try:
            await docker.run(container.remove_others, kept)
        except DockerException as problem:
            log.warning("old containers of load balancers may be left: %s", problem)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(metrics.EVERY_SECONDS)
            for arn, plane in list(self._planes.items()):
                try:
                    await self._tell(arn, plane)
                except (ClientError, BotoCoreError) as problem:
                    log.warning("the metrics of %s could not be sent: %s", arn, problem)

    async def _tell(self, arn: str, plane: Plane) -> None:
        record = self._lb.load_balancers.get(arn)
        if record is None:
            return
        groups = [self._lb.target_groups[group] for group in self._lb.groups_of(arn)]
        found: list[dict[str, Any]] = metrics.data(record, groups, plane.traffic.take())
        for start in range(0, len(found), 100):
            await aws.call(
                "cloudwatch",
                "put_metric_data",
                region=arns.region(arn),
                Namespace=metrics.NAMESPACES[record["Type"]],
                MetricData=found[start : start + 100],
            )
