"""Whether an EC2 instance may join a cluster: by the role of its instance profile.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html
"""

from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.frame import arns, aws, roles
from labs.cloud.frame.errors import AwsError

ACTION = "ecs:RegisterContainerInstance"


async def require(region: str, instance: dict[str, Any], cluster_arn: str) -> None:
    """Makes sure that an instance may register with a cluster.

    Args:
        region: where.
        instance: as DescribeInstances tells it.
        cluster_arn: the cluster.

    Raises:
        AwsError: MissingAuthenticationTokenException without a profile, AccessDeniedException without the permission.
    """
    profile = instance.get("IamInstanceProfile", {}).get("Arn", "")
    role = await _role(profile)
    if role is None:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if reason := (await roles.permissions("role", role["RoleName"])).denial(ACTION, cluster_arn):
        account = arns.account(role["Arn"])
        session = f"arn:aws:sts::{account}:assumed-role/{role['RoleName']}/{instance['InstanceId']}"
        raise AwsError("AccessDeniedException", roles.refusal(session, ACTION, cluster_arn, reason))


async def describe(region: str, instance: str) -> dict[str, Any] | None:
    """An EC2 instance as DescribeInstances tells it; None if there is none."""
    try:
        answer = await aws.call("ec2", "describe_instances", region=region, InstanceIds=[instance])
    except ClientError as problem:
        if not problem.response["Error"]["Code"].startswith("InvalidInstanceID"):
            raise
        return None
    found = [one for reservation in answer["Reservations"] for one in reservation["Instances"]]
    return found[0] if found else None


async def _role(profile: str) -> dict[str, Any] | None:
    if not profile:
        return None
    try:
        answer = await aws.call(
            "iam", "get_instance_profile", InstanceProfileName=arns.resource(profile).rpartition("/")[2]
        )
    except ClientError:
        return None
    roles = answer["InstanceProfile"]["Roles"]
    return roles[0] if roles else None
