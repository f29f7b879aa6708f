"""Managed scaling: ECS makes the Auto Scaling group of a capacity provider as large as its tasks need.

Each lesson minute, for every cluster and capacity provider that belong together, it publishes
CapacityProviderReservation to CloudWatch; a target tracking policy that it has put on the group follows that metric. It
also protects instances with tasks from scale-in, and lets the tasks of an instance that is to be terminated end in
peace. All of this goes through the public APIs of Auto Scaling, CloudWatch and ECS itself.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html
"""

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import lookup, managed_draining, managed_group, reservation, waiting
from labs.cloud.ecs.capacity_providers import CHANGED
from labs.cloud.ecs.group_providers import ENABLED, group_name, of_groups
from labs.cloud.ecs.managed_group import Pair, scaling
from labs.cloud.ecs.reservation import Size
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, aws, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse

NAMESPACE, METRIC = "AWS/ECS/ManagedScaling", "CapacityProviderReservation"
MINUTE_SECONDS = clock.lesson(60)
BOOT_SECONDS = 30.0  # an instance that has not joined the cluster by then has a fault of its own

log = logging.getLogger(__name__)


class ManagedScaling:
    """Looks after the capacity providers over Auto Scaling groups, while there are any.

    Args:
        ecs: the state.
    """

    def __init__(self, ecs: Ecs) -> None:
        self._ecs = ecs
        self._changed = Pulse()
        self._dirty = False  # something has changed since the last look
        self._seen: dict[str, float] = {}  # since when an instance is in service

    def start(self) -> None:
        """Begins. Auto Scaling and CloudWatch answer by now."""
        self._ecs.signals.listen(CHANGED, self._hear)
        self._ecs.background.spawn(self._run(), "managed scaling")

    def _hear(self, _: str) -> None:
        self._dirty = True
        self._changed.beat()

    async def _run(self) -> None:
        while True:
            self._dirty = False
            try:
                busy = await self._look()
            except (ClientError, BotoCoreError, AwsError) as problem:
                log.warning("managed scaling could not look at everything: %s", problem)
                busy = True
            except Exception:  # a loop that ends would leave all groups unscaled for good
                log.exception("managed scaling failed")
                busy = True
            self._ecs.store.flush_quietly()
            if not self._dirty:
                await self._changed.wait(MINUTE_SECONDS - clock.now() % MINUTE_SECONDS if busy else None)

    async def _look(self) -> bool:
        """One look at everything; whether there is something to look after."""
        pairs = await self._pairs()
        await self._remove_others(pairs)
        members = {one["InstanceId"] for pair in pairs for one in pair.group["Instances"]}
        self._seen = {instance_id: since for instance_id, since in self._seen.items() if instance_id in members}
        for pair in pairs:
            try:
                await self._follow(pair)
            except (ClientError, BotoCoreError, AwsError) as problem:
                log.warning("the capacity provider %s: %s", pair.provider["name"], problem)
        return bool(pairs)

    async def _pairs(self) -> list[Pair]:
        found = []
        for provider in of_groups(self._ecs):
            region = arns.region(provider["capacityProviderArn"])
            clusters = [
                one
                for one in self._ecs.clusters.values()
                if one["status"] == lookup.ACTIVE
                and provider["name"] in one["capacityProviders"]
                and arns.region(one["clusterArn"]) == region
            ]
            if not clusters:
                continue
            names = [group_name(provider)]
            answer = await scaling(self._ecs, region, "DescribeAutoScalingGroups", AutoScalingGroupNames=names)
            if answer["AutoScalingGroups"]:
                found += [Pair(one, provider, answer["AutoScalingGroups"][0]) for one in clusters]
        return found

    async def _follow(self, pair: Pair) -> None:
        """What there is to do for a capacity provider of a cluster."""
        await managed_draining.ensure_hook(self._ecs, pair)
        await managed_draining.drain(self._ecs, pair)
        instances = managed_group.in_service(self._ecs, pair)
        waiting.name_provider(self._ecs, instances.values(), pair.provider["name"])
        if not pair.scales:
            return
        await self._ensure_policy(pair)
        busy = managed_group.with_tasks(self._ecs, instances)
        await self._publish(pair, instances, busy)
        if pair.settings["managedTerminationProtection"] == ENABLED:
            await self._protect(pair, instances, busy)

    # --- the metric and its policy ------------------------------------------------------------------------------------

    async def _publish(self, pair: Pair, instances: Mapping[str, dict[str, Any]], busy: set[str]) -> None:
        members = [one["InstanceId"] for one in pair.group["Instances"] if one["LifecycleState"] == "InService"]
        coming = self._coming(members, instances)
        present = len(members)
        settings = pair.settings["managedScaling"]
        tasks = waiting.of_provider(self._ecs, pair.cluster["clusterArn"], pair.provider["name"])
        needed = 0
        if tasks:
            size = await self._instance_size(pair, instances)
            needed = reservation.instances_needed([waiting.size(self._ecs, task) for task in tasks], size)
        more = max(0, needed - coming)  # those that boot take some of the tasks that wait
        whole = reservation.wanted(present, present - len(busy) - coming, more, settings)
        dimensions = {"ClusterName": pair.cluster["clusterName"], "CapacityProviderName": pair.provider["name"]}
        await aws.call(
            "cloudwatch",
            "put_metric_data",
            region=pair.region,
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": METRIC,
                    "Dimensions": _dimensions(dimensions),
                    "Timestamp": datetime.now(UTC),
                    "Value": reservation.percent(present, whole),
                    "Unit": "Percent",
                }
            ],
        )

    def _coming(self, members: list[str], instances: Mapping[str, dict[str, Any]]) -> int:
        """How many instances are in service and will soon be container instances; some never are."""
        now = clock.now()
        for instance_id in members:
            self._seen.setdefault(instance_id, now)
        return sum(one not in instances and now - self._seen[one] < BOOT_SECONDS for one in members)

    async def _ensure_policy(self, pair: Pair) -> None:
        """Puts the target tracking policy on the group, or gives it the settings of now."""
        settings = pair.settings["managedScaling"]
        wanted = {"targetCapacity": settings["targetCapacity"], "warmup": settings["instanceWarmupPeriod"]}
        cluster = pair.cluster["clusterArn"]
        present = pair.provider.get("_policies", {}).get(cluster, {})
        if {name: present.get(name) for name in wanted} == wanted and present["group"] == pair.group_name:
            return
        name = present.get("name") or f"ECSManagedAutoScalingPolicy-{uuid.uuid4()}"
        dimensions = {"ClusterName": pair.cluster["clusterName"], "CapacityProviderName": pair.provider["name"]}
        self._note(pair, {"name": name, "group": pair.group_name})  # first, so that it is removed whatever happens
        await scaling(
            self._ecs,
            pair.region,
            "PutScalingPolicy",
            AutoScalingGroupName=pair.group_name,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            EstimatedInstanceWarmup=settings["instanceWarmupPeriod"],
            TargetTrackingConfiguration={
                "TargetValue": float(settings["targetCapacity"]),
                "CustomizedMetricSpecification": {
                    "Namespace": NAMESPACE,
                    "MetricName": METRIC,
                    "Dimensions": _dimensions(dimensions),
                    "Statistic": "Average",
                },
            },
        )
        self._note(pair, {"name": name, "group": pair.group_name, **wanted})

    def _note(self, pair: Pair, policy: dict[str, Any]) -> None:
        arn = pair.provider["capacityProviderArn"]
        record = self._ecs.capacity_providers[arn]
        policies = {**record.get("_policies", {}), pair.cluster["clusterArn"]: policy}
        self._ecs.capacity_providers.put(arn, {**record, "_policies": policies})

    async def _remove_others(self, pairs: list[Pair]) -> None:
        """Removes policies of what does not belong together any more, or is not scaled any more."""
        kept = {(one.provider["capacityProviderArn"], one.cluster["clusterArn"]) for one in pairs if one.scales}
        for arn, provider in self._ecs.capacity_providers.items():
            for cluster, policy in provider.get("_policies", {}).items():
                if (arn, cluster) in kept:
                    continue
                try:
                    await scaling(
                        self._ecs,
                        arns.region(arn),
                        "DeletePolicy",
                        AutoScalingGroupName=policy["group"],
                        PolicyName=policy["name"],
                    )
                except AwsError as problem:  # gone with its group
                    log.info("%s: %s", provider["name"], problem)
                record = self._ecs.capacity_providers[arn]
                left = {key: one for key, one in record["_policies"].items() if key != cluster}
                self._ecs.capacity_providers.put(arn, {**record, "_policies": left})

    # --- instances ----------------------------------------------------------------------------------------------------

    async def _instance_size(self, pair: Pair, instances: Mapping[str, dict[str, Any]]) -> Size:
        """What an instance of the group has: as those that there are, else as its type says."""
        for one in instances.values():
            registered = {each["name"]: each.get("integerValue", 0) for each in one["registeredResources"]}
            return Size(registered["CPU"], registered["MEMORY"])
        return await waiting.size_of_types(pair.region, await self._types(pair))

    async def _types(self, pair: Pair) -> list[str]:
        """The instance types that a group launches."""
        policy = (pair.group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate", {})
        named = [one["InstanceType"] for one in policy.get("Overrides", []) if one.get("InstanceType")]
        if named:
            return named
        template = pair.group.get("LaunchTemplate") or policy["LaunchTemplateSpecification"]
        answer = await aws.call(
            "ec2",
            "describe_launch_template_versions",
            region=pair.region,
            LaunchTemplateId=template["LaunchTemplateId"],
            Versions=[template.get("Version", "$Default")],
        )
        return [answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]["InstanceType"]]

    async def _protect(self, pair: Pair, instances: Mapping[str, dict[str, Any]], busy: set[str]) -> None:
        """Instances with tasks are protected from scale-in, empty ones are not."""
        for wanted in (True, False):
            changing = [
                one["InstanceId"]
                for one in pair.group["Instances"]
                if one["InstanceId"] in instances
                and (one["InstanceId"] in busy) == wanted
                and one["ProtectedFromScaleIn"] != wanted
            ]
            if changing:
                await scaling(
                    self._ecs,
                    pair.region,
                    "SetInstanceProtection",
                    AutoScalingGroupName=pair.group_name,
                    InstanceIds=changing,
                    ProtectedFromScaleIn=wanted,
                )


def _dimensions(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]
