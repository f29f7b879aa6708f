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
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.ecs import lookup, reservation, waiting
from labs.cloud.ecs.capacity_providers import CHANGED
from labs.cloud.ecs.capacity_providers import DRAINING_HOOK as HOOK
from labs.cloud.ecs.group_providers import DISABLED, ENABLED, group_name, of_groups
from labs.cloud.ecs.reservation import Size
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns, aws, clock
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.pulse import Pulse

NAMESPACE, METRIC = "AWS/ECS/ManagedScaling", "CapacityProviderReservation"
MINUTE_SECONDS = clock.lesson(60)
HOOK_SECONDS = 7200  # the longest that there is
LEAVING = "autoscaling:EC2_INSTANCE_TERMINATING"

log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """A cluster and one of its capacity providers, and the provider's Auto Scaling group as its API tells it."""

    cluster: Mapping[str, Any]
    provider: dict[str, Any]
    group: Mapping[str, Any]

    @property
    def region(self) -> str:
        """Where they are."""
        return arns.region(self.provider["capacityProviderArn"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """The provider's settings."""
        return self.provider["autoScalingGroupProvider"]

    @property
    def scales(self) -> bool:
        """Whether managed scaling is on."""
        return self.settings["managedScaling"]["status"] == ENABLED


class ManagedScaling:
    """Looks after the capacity providers over Auto Scaling groups, while there are any.

    Args:
        ecs: the state.
    """

    def __init__(self, ecs: Ecs) -> None:
        self._ecs = ecs
        self._changed = Pulse()

    def start(self) -> None:
        """Begins. Auto Scaling and CloudWatch answer by now."""
        self._ecs.signals.listen(CHANGED, lambda _: self._changed.beat())
        self._ecs.background.spawn(self._run(), "managed scaling")

    async def _run(self) -> None:
        while True:
            if not self._ecs.capacity_providers:
                await self._changed.wait()
                continue
            try:
                busy = await self._look()
            except (ClientError, BotoCoreError, AwsError) as problem:
                log.warning("managed scaling could not look at everything: %s", problem)
                busy = True
            except Exception:  # a loop that ends would leave all groups unscaled for good
                log.exception("managed scaling failed")
                busy = True
            self._ecs.store.flush_quietly()
            await self._changed.wait(MINUTE_SECONDS - clock.now() % MINUTE_SECONDS if busy else None)

    async def _look(self) -> bool:
        """One look at everything; whether there is something to look after."""
        pairs = await self._pairs()
        await self._remove_others(pairs)
        for pair in pairs:
            await self._follow(pair)
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
            answer = await self._scaling(
                region, "DescribeAutoScalingGroups", AutoScalingGroupNames=[group_name(provider)]
            )
            if answer["AutoScalingGroups"]:
                found += [Pair(one, provider, answer["AutoScalingGroups"][0]) for one in clusters]
        return found

    async def _follow(self, pair: Pair) -> None:
        """What there is to do for a capacity provider of a cluster."""
        await self._ensure_hook(pair)
        await self._drain(pair)
        instances = self._instances(pair)
        waiting.name_provider(self._ecs, instances.values(), pair.provider["name"])
        if not pair.scales:
            return
        await self._ensure_policy(pair)
        busy = self._with_tasks(instances)
        await self._publish(pair, instances, busy)
        if pair.settings["managedTerminationProtection"] == ENABLED:
            await self._protect(pair, instances, busy)

    # --- the metric and its policy ------------------------------------------------------------------------------------

    async def _publish(self, pair: Pair, instances: Mapping[str, dict[str, Any]], busy: set[str]) -> None:
        present = len(instances)
        settings = pair.settings["managedScaling"]
        tasks = waiting.of_provider(self._ecs, pair.cluster["clusterArn"], pair.provider["name"])
        needed = 0
        if tasks:
            size = await self._instance_size(pair, instances)
            needed = reservation.instances_needed([waiting.size(self._ecs, task) for task in tasks], size)
        whole = reservation.wanted(present, present - len(busy), needed, settings)
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

    async def _ensure_policy(self, pair: Pair) -> None:
        """Puts the target tracking policy on the group, or gives it the settings of now."""
        settings = pair.settings["managedScaling"]
        wanted = {"targetCapacity": settings["targetCapacity"], "warmup": settings["instanceWarmupPeriod"]}
        cluster = pair.cluster["clusterArn"]
        present = pair.provider.get("_policies", {}).get(cluster, {})
        if {name: present.get(name) for name in wanted} == wanted and present["group"] == _group(pair):
            return
        name = present.get("name") or f"ECSManagedAutoScalingPolicy-{uuid.uuid4()}"
        dimensions = {"ClusterName": pair.cluster["clusterName"], "CapacityProviderName": pair.provider["name"]}
        self._note(pair, {"name": name, "group": _group(pair)})  # first, so that it is removed whatever happens
        await self._scaling(
            pair.region,
            "PutScalingPolicy",
            AutoScalingGroupName=_group(pair),
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
        self._note(pair, {"name": name, "group": _group(pair), **wanted})

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
                    await self._scaling(
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

    def _instances(self, pair: Pair) -> dict[str, dict[str, Any]]:
        """The container instances of a pair that take or have tasks, by EC2 instance id."""
        members = {one["InstanceId"] for one in pair.group["Instances"] if one["LifecycleState"] == "InService"}
        return {
            one["ec2InstanceId"]: one
            for one in self._ecs.container_instances.values()
            if one["clusterArn"] == pair.cluster["clusterArn"]
            and one.get("ec2InstanceId") in members
            and one["status"] != lookup.INACTIVE
        }

    def _with_tasks(self, instances: Mapping[str, dict[str, Any]]) -> set[str]:
        """The EC2 instances that run tasks, those of daemon services not counted."""
        by_arn = {one["containerInstanceArn"]: instance_id for instance_id, one in instances.items()}
        return {
            by_arn[task["containerInstanceArn"]]
            for task in self._ecs.tasks.values()
            if task.get("containerInstanceArn") in by_arn
            and task["lastStatus"] != "STOPPED"
            and not self._is_daemon(task)
        }

    def _is_daemon(self, task: Mapping[str, Any]) -> bool:
        service = self._ecs.service_records.get(task.get("_service", ""), {})
        return service.get("schedulingStrategy") == "DAEMON"

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
                await self._scaling(
                    pair.region,
                    "SetInstanceProtection",
                    AutoScalingGroupName=_group(pair),
                    InstanceIds=changing,
                    ProtectedFromScaleIn=wanted,
                )

    # --- managed draining ---------------------------------------------------------------------------------------------

    async def _ensure_hook(self, pair: Pair) -> None:
        """Puts the lifecycle hook of managed draining on the group, or takes it away.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-instance-draining.html
        """
        wanted = pair.settings["managedDraining"] != DISABLED
        answer = await self._scaling(pair.region, "DescribeLifecycleHooks", AutoScalingGroupName=_group(pair))
        there = any(one["LifecycleHookName"] == HOOK for one in answer["LifecycleHooks"])
        more: dict[str, Any] = {"AutoScalingGroupName": _group(pair), "LifecycleHookName": HOOK}
        if wanted and not there:
            more |= {"LifecycleTransition": LEAVING, "HeartbeatTimeout": HOOK_SECONDS, "DefaultResult": "CONTINUE"}
            await self._scaling(pair.region, "PutLifecycleHook", **more)
        elif there and not wanted:
            await self._scaling(pair.region, "DeleteLifecycleHook", **more)

    async def _drain(self, pair: Pair) -> None:
        """Instances that wait to be terminated: their tasks end, and then they may go."""
        if pair.settings["managedDraining"] == DISABLED:
            return
        here = {
            one.get("ec2InstanceId"): one
            for one in self._ecs.container_instances.values()
            if one["clusterArn"] == pair.cluster["clusterArn"] and one["status"] != lookup.INACTIVE
        }
        for member in pair.group["Instances"]:
            if member["LifecycleState"] != "Terminating:Wait":
                continue
            instance = here.get(member["InstanceId"])
            if instance and instance["status"] == lookup.ACTIVE:
                await self._ecs.services.call(
                    "ecs",
                    "UpdateContainerInstancesState",
                    pair.region,
                    cluster=pair.cluster["clusterArn"],
                    containerInstances=[instance["containerInstanceArn"]],
                    status="DRAINING",
                )
            if instance is None or not self._with_tasks({member["InstanceId"]: instance}):
                await self._scaling(
                    pair.region,
                    "CompleteLifecycleAction",
                    AutoScalingGroupName=_group(pair),
                    LifecycleHookName=HOOK,
                    InstanceId=member["InstanceId"],
                    LifecycleActionResult="CONTINUE",
                )

    async def _scaling(self, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._ecs.services.call("autoscaling", operation, region, **parameters)


def _group(pair: Pair) -> str:
    return pair.group["AutoScalingGroupName"]


def _dimensions(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]
