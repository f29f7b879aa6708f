"""What can carry the course's tag in a real account: how each kind of thing is listed with its tags, and removed.

In the order of removal: what uses comes before what is used. Lists come from the services themselves, for the Resource
Groups Tagging API knows not all kinds, and is minutes late.
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

Client = Callable[[str], Any]
Found = Iterator[tuple[str, dict[str, str]]]  # an id, which the kind's `remove` takes, and tags


class Kind(NamedTuple):
    """A kind of thing.

    Args:
        name: in words.
        service: boto3's name; the one whose client both functions are given.
        find: lists what is there and not on its way out already, with its tags.
        remove: one of it, by its id. May fail while something still uses it.
    """

    name: str
    service: str
    find: Callable[[Any], Found]
    remove: Callable[[Any, str], object]


def pages(client: Any, operation: str, member: str, **parameters: Any) -> Iterator[Any]:
    """All items of a list."""
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(member, [])


def as_dict(tags: Any) -> dict[str, str]:
    """Tags in any of AWS's shapes."""
    if isinstance(tags, dict):
        return tags
    return {one.get("Key", one.get("key")): one.get("Value", one.get("value")) for one in tags or []}


def _chunks(items: list[str], size: int) -> Iterator[list[str]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


# --- ECS --------------------------------------------------------------------------------------------------------------


def _clusters(ecs: Any) -> Found:
    for some in _chunks(list(pages(ecs, "list_clusters", "clusterArns")), 100):
        for one in ecs.describe_clusters(clusters=some, include=["TAGS"])["clusters"]:
            if one["status"] != "INACTIVE":
                yield one["clusterArn"], as_dict(one.get("tags"))


def _services(ecs: Any) -> Found:
    for cluster in pages(ecs, "list_clusters", "clusterArns"):
        for some in _chunks(list(pages(ecs, "list_services", "serviceArns", cluster=cluster)), 10):
            for one in ecs.describe_services(cluster=cluster, services=some, include=["TAGS"])["services"]:
                if one["status"] != "INACTIVE":
                    yield f"{cluster} {one['serviceArn']}", as_dict(one.get("tags"))


def _remove_service(ecs: Any, found: str) -> None:
    cluster, service = found.split()
    ecs.delete_service(cluster=cluster, service=service, force=True)


def _tasks(ecs: Any) -> Found:
    for cluster in pages(ecs, "list_clusters", "clusterArns"):
        for some in _chunks(list(pages(ecs, "list_tasks", "taskArns", cluster=cluster)), 100):
            for one in ecs.describe_tasks(cluster=cluster, tasks=some, include=["TAGS"])["tasks"]:
                if one["lastStatus"] != "STOPPED":
                    yield f"{cluster} {one['taskArn']}", as_dict(one.get("tags"))


def _stop_task(ecs: Any, found: str) -> None:
    cluster, task = found.split()
    ecs.stop_task(cluster=cluster, task=task, reason="clean_up of the course")


def _task_definitions(ecs: Any) -> Found:
    for status in ("ACTIVE", "INACTIVE"):
        for arn in pages(ecs, "list_task_definitions", "taskDefinitionArns", status=status):
            with contextlib.suppress(ClientError):  # deleted in this moment
                yield arn, as_dict(ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"]).get("tags"))


def _remove_task_definition(ecs: Any, arn: str) -> None:
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.delete_task_definitions(taskDefinitions=[arn])


def _capacity_providers(ecs: Any) -> Found:
    more: dict[str, str] = {}
    while True:
        answer = ecs.describe_capacity_providers(include=["TAGS"], **more)
        for one in answer["capacityProviders"]:
            if one["status"] == "ACTIVE":
                yield one.get("capacityProviderArn") or one["name"], as_dict(one.get("tags"))
        if not answer.get("nextToken"):
            return
        more = {"nextToken": answer["nextToken"]}


# --- load balancing, scaling, registries --------------------------------------------------------------------------


def _tagged_balancing(operation: str, member: str, arn: str) -> Callable[[Any], Found]:
    def find(elb: Any) -> Found:
        for some in _chunks([one[arn] for one in pages(elb, operation, member)], 20):
            for one in elb.describe_tags(ResourceArns=some)["TagDescriptions"]:
                yield one["ResourceArn"], as_dict(one["Tags"])

    return find


def _scalable_targets(scaling: Any) -> Found:
    for one in pages(scaling, "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs"):
        tags = scaling.list_tags_for_resource(ResourceARN=one["ScalableTargetARN"])["Tags"]
        yield f"{one['ResourceId']} {one['ScalableDimension']}", as_dict(tags)


def _remove_scalable_target(scaling: Any, found: str) -> None:
    resource, dimension = found.split()
    scaling.deregister_scalable_target(ServiceNamespace="ecs", ResourceId=resource, ScalableDimension=dimension)


def _groups(autoscaling: Any) -> Found:
    for one in pages(autoscaling, "describe_auto_scaling_groups", "AutoScalingGroups"):
        yield one["AutoScalingGroupName"], as_dict(one.get("Tags"))


def _repositories(ecr: Any) -> Found:
    for one in pages(ecr, "describe_repositories", "repositories"):
        yield one["repositoryName"], as_dict(ecr.list_tags_for_resource(resourceArn=one["repositoryArn"])["tags"])


# --- what is around them ----------------------------------------------------------------------------------------------


def _listed(operation: str, member: str, id_: str, tags: Callable[[Any, Any], Any]) -> Callable[[Any], Found]:
    """Finds things by a list, and their tags by another call for each."""

    def find(client: Any) -> Found:
        for one in pages(client, operation, member):
            name = one[id_] if id_ else one
            with contextlib.suppress(ClientError):  # gone in this moment
                yield name, as_dict(tags(client, one))

    return find


def _remove_rule(events: Any, name: str) -> None:
    targets = [one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]]
    if targets:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def _rules(events: Any) -> Found:
    for one in pages(events, "list_rules", "Rules"):
        if not one.get("ManagedBy"):
            yield one["Name"], as_dict(events.list_tags_for_resource(ResourceARN=one["Arn"])["Tags"])


def _stacks(cloudformation: Any) -> Found:
    for one in pages(cloudformation, "describe_stacks", "Stacks"):
        if one["StackStatus"] != "DELETE_COMPLETE":
            yield one["StackName"], as_dict(one.get("Tags"))


def _apps(apprunner: Any) -> Found:
    more: dict[str, str] = {}
    while True:
        answer = apprunner.list_services(**more)
        for one in answer["ServiceSummaryList"]:
            if one["Status"] != "DELETED":
                tags = apprunner.list_tags_for_resource(ResourceArn=one["ServiceArn"])["Tags"]
                yield one["ServiceArn"], as_dict(tags)
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}


def _file_systems(efs: Any) -> Found:
    for one in pages(efs, "describe_file_systems", "FileSystems"):
        if one.get("LifeCycleState") != "deleted":
            yield one["FileSystemId"], as_dict(one.get("Tags"))


def _remove_file_system(efs: Any, name: str) -> None:
    for one in efs.describe_mount_targets(FileSystemId=name)["MountTargets"]:
        efs.delete_mount_target(MountTargetId=one["MountTargetId"])
    for one in efs.describe_access_points(FileSystemId=name)["AccessPoints"]:
        efs.delete_access_point(AccessPointId=one["AccessPointId"])
    efs.delete_file_system(FileSystemId=name)


def _clusters_of_eks(eks: Any) -> Found:
    for name in pages(eks, "list_clusters", "clusters"):
        yield name, as_dict(eks.describe_cluster(name=name)["cluster"].get("tags"))


def _remove_cluster_of_eks(eks: Any, name: str) -> None:
    for group in eks.list_nodegroups(clusterName=name)["nodegroups"]:
        eks.delete_nodegroup(clusterName=name, nodegroupName=group)
    for profile in eks.list_fargate_profiles(clusterName=name)["fargateProfileNames"]:
        eks.delete_fargate_profile(clusterName=name, fargateProfileName=profile)
    eks.delete_cluster(name=name)


def _remove_role(iam: Any, name: str) -> None:
    for one in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=one["PolicyArn"])
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def _remove_profile(iam: Any, name: str) -> None:
    for one in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=one["RoleName"])
    iam.delete_instance_profile(InstanceProfileName=name)


def _policies(iam: Any) -> Found:
    for one in pages(iam, "list_policies", "Policies", Scope="Local"):
        yield one["Arn"], as_dict(iam.list_policy_tags(PolicyArn=one["Arn"])["Tags"])


def _remove_policy(iam: Any, arn: str) -> None:
    for one in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not one["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=one["VersionId"])
    iam.delete_policy(PolicyArn=arn)


def _alarms(cloudwatch: Any) -> Found:
    for one in pages(cloudwatch, "describe_alarms", "MetricAlarms"):
        tags = cloudwatch.list_tags_for_resource(ResourceARN=one["AlarmArn"])["Tags"]
        yield one["AlarmName"], as_dict(tags)


def _parameters(ssm: Any) -> Found:
    for one in pages(ssm, "describe_parameters", "Parameters"):
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=one["Name"])["TagList"]
        yield one["Name"], as_dict(tags)


# --- the network ------------------------------------------------------------------------------------------------------


def _ec2(operation: str, member: str, id_: str, states: tuple[str, ...] = ()) -> Callable[[Any], Found]:
    """Finds things of EC2, which lists them with their tags. Things in one of the states are gone."""

    def find(ec2: Any) -> Found:
        for one in pages(ec2, operation, member) if ec2.can_paginate(operation) else getattr(ec2, operation)()[member]:
            state = one.get("State", "")
            if (state.get("Name") if isinstance(state, dict) else state) not in states and not one.get("IsDefault"):
                yield one[id_], as_dict(one.get("Tags"))

    return find


def _instances(ec2: Any) -> Found:
    for reservation in pages(ec2, "describe_instances", "Reservations"):
        for one in reservation["Instances"]:
            if one["State"]["Name"] != "terminated":
                yield one["InstanceId"], as_dict(one.get("Tags"))


def _remove_internet_gateway(ec2: Any, name: str) -> None:
    for one in ec2.describe_internet_gateways(InternetGatewayIds=[name])["InternetGateways"][0]["Attachments"]:
        ec2.detach_internet_gateway(InternetGatewayId=name, VpcId=one["VpcId"])
    ec2.delete_internet_gateway(InternetGatewayId=name)


def _remove_route_table(ec2: Any, name: str) -> None:
    for one in ec2.describe_route_tables(RouteTableIds=[name])["RouteTables"][0].get("Associations", []):
        if not one.get("Main"):
            ec2.disassociate_route_table(AssociationId=one["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=name)


def _remove_security_group(ec2: Any, name: str) -> None:
    group = ec2.describe_security_groups(GroupIds=[name])["SecurityGroups"][0]
    if group.get("IpPermissions"):  # another group may be named in it, and this one in that one's
        ec2.revoke_security_group_ingress(GroupId=name, IpPermissions=group["IpPermissions"])
    ec2.delete_security_group(GroupId=name)


KINDS = (
    Kind("schedule group", "scheduler",
         _listed("list_schedule_groups", "ScheduleGroups", "Name",
                 lambda client, one: client.list_tags_for_resource(ResourceArn=one["Arn"])["Tags"]),
         lambda client, name: client.delete_schedule_group(Name=name)),
    Kind("rule", "events", _rules, _remove_rule),
    Kind("stack", "cloudformation", _stacks, lambda client, name: client.delete_stack(StackName=name)),
    Kind("scalable target", "application-autoscaling", _scalable_targets, _remove_scalable_target),
    Kind("alarm", "cloudwatch", _alarms, lambda client, name: client.delete_alarms(AlarmNames=[name])),
    Kind("App Runner service", "apprunner", _apps, lambda client, arn: client.delete_service(ServiceArn=arn)),
    Kind("ECS service", "ecs", _services, _remove_service),
    Kind("ECS task", "ecs", _tasks, _stop_task),
    Kind("task definition", "ecs", _task_definitions, _remove_task_definition),
    Kind("Auto Scaling group", "autoscaling", _groups,
         lambda client, name: client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)),
    Kind("instance", "ec2", _instances, lambda client, name: client.terminate_instances(InstanceIds=[name])),
    Kind("ECS cluster", "ecs", _clusters, lambda client, arn: client.delete_cluster(cluster=arn)),
    Kind("capacity provider", "ecs", _capacity_providers,
         lambda client, name: client.delete_capacity_provider(capacityProvider=name)),
    Kind("EKS cluster", "eks", _clusters_of_eks, _remove_cluster_of_eks),
    Kind("load balancer", "elbv2",
         _tagged_balancing("describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
         lambda client, arn: client.delete_load_balancer(LoadBalancerArn=arn)),
    Kind("target group", "elbv2",
         _tagged_balancing("describe_target_groups", "TargetGroups", "TargetGroupArn"),
         lambda client, arn: client.delete_target_group(TargetGroupArn=arn)),
    Kind("launch template", "ec2", _ec2("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
         lambda client, name: client.delete_launch_template(LaunchTemplateId=name)),
    Kind("file system", "efs", _file_systems, _remove_file_system),
    Kind("repository", "ecr", _repositories,
         lambda client, name: client.delete_repository(repositoryName=name, force=True)),
    Kind("log group", "logs",
         _listed("describe_log_groups", "logGroups", "logGroupName",
                 lambda client, one: client.list_tags_for_resource(
                     resourceArn=one.get("logGroupArn") or one["arn"].removesuffix(":*"))["tags"]),
         lambda client, name: client.delete_log_group(logGroupName=name)),
    Kind("secret", "secretsmanager",
         lambda client: ((one["ARN"], as_dict(one.get("Tags"))) for one in pages(client, "list_secrets", "SecretList")),
         lambda client, arn: client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)),
    Kind("parameter", "ssm", _parameters, lambda client, name: client.delete_parameter(Name=name)),
    Kind("queue", "sqs",
         _listed("list_queues", "QueueUrls", "", lambda client, url: client.list_queue_tags(QueueUrl=url).get("Tags")),
         lambda client, url: client.delete_queue(QueueUrl=url)),
    Kind("topic", "sns",
         _listed("list_topics", "Topics", "TopicArn",
                 lambda client, one: client.list_tags_for_resource(ResourceArn=one["TopicArn"])["Tags"]),
         lambda client, arn: client.delete_topic(TopicArn=arn)),
    Kind("NAT gateway", "ec2", _ec2("describe_nat_gateways", "NatGateways", "NatGatewayId", ("deleted",)),
         lambda client, name: client.delete_nat_gateway(NatGatewayId=name)),
    Kind("VPC endpoint", "ec2", _ec2("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", ("deleted",)),
         lambda client, name: client.delete_vpc_endpoints(VpcEndpointIds=[name])),
    Kind("elastic IP address", "ec2", _ec2("describe_addresses", "Addresses", "AllocationId"),
         lambda client, name: client.release_address(AllocationId=name)),
    Kind("network interface", "ec2",
         _ec2("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
         lambda client, name: client.delete_network_interface(NetworkInterfaceId=name)),
    Kind("volume", "ec2", _ec2("describe_volumes", "Volumes", "VolumeId", ("deleted",)),
         lambda client, name: client.delete_volume(VolumeId=name)),
    Kind("key pair", "ec2", _ec2("describe_key_pairs", "KeyPairs", "KeyPairId"),
         lambda client, name: client.delete_key_pair(KeyPairId=name)),
    Kind("security group", "ec2", _ec2("describe_security_groups", "SecurityGroups", "GroupId"),
         _remove_security_group),
    Kind("subnet", "ec2", _ec2("describe_subnets", "Subnets", "SubnetId"),
         lambda client, name: client.delete_subnet(SubnetId=name)),
    Kind("route table", "ec2", _ec2("describe_route_tables", "RouteTables", "RouteTableId"), _remove_route_table),
    Kind("internet gateway", "ec2", _ec2("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
         _remove_internet_gateway),
    Kind("VPC", "ec2", _ec2("describe_vpcs", "Vpcs", "VpcId"), lambda client, name: client.delete_vpc(VpcId=name)),
    Kind("instance profile", "iam",
         _listed("list_instance_profiles", "InstanceProfiles", "InstanceProfileName",
                 lambda client, one: client.list_instance_profile_tags(
                     InstanceProfileName=one["InstanceProfileName"])["Tags"]),
         _remove_profile),
    Kind("role", "iam",
         _listed("list_roles", "Roles", "RoleName",
                 lambda client, one: client.list_role_tags(RoleName=one["RoleName"])["Tags"]),
         _remove_role),
    Kind("policy", "iam", _policies, _remove_policy),
)  # fmt: skip
