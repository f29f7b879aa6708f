"""Whether an EC2 instance may join a cluster: by the role of its instance profile.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html
"""

import fnmatch
import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labs.cloud.frame import arns, aws
from labs.cloud.frame.errors import AwsError

ACTION = "ecs:RegisterContainerInstance"
# Policies of AWS's own that allow it. Not every backend can read or evaluate them.
ALLOWING = frozenset(
    f"arn:aws:iam::aws:policy/{name}"
    for name in (
        "service-role/AmazonEC2ContainerServiceforEC2Role", "AmazonEC2ContainerServiceforEC2Role",
        "AmazonECS_FullAccess", "AdministratorAccess", "PowerUserAccess",
    )
)  # fmt: skip

log = logging.getLogger(__name__)


async def require(region: str, instance: dict[str, Any], cluster_arn: str) -> None:
    """Makes sure that an instance may register with a cluster.

    The backend's own evaluation counts (SimulatePrincipalPolicy). Where it says no, or has no such operation, the
    role's policies are looked at here too: AWS's own by name, the account's by their statements, without conditions.

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
    if await _simulated(role["Arn"], cluster_arn) or await _allows(role["RoleName"], cluster_arn):
        return
    account = role["Arn"].split(":")[4]
    session = f"arn:aws:sts::{account}:assumed-role/{role['RoleName']}/{instance['InstanceId']}"
    raise AwsError(
        "AccessDeniedException",
        f"User: {session} is not authorized to perform: {ACTION} on resource: {cluster_arn} because no identity-based "
        f"policy allows the {ACTION} action",
    )


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


async def _simulated(role_arn: str, cluster_arn: str) -> bool:
    try:
        answer = await aws.call(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=role_arn,
            ActionNames=[ACTION],
            ResourceArns=[cluster_arn],
        )
    except (ClientError, BotoCoreError) as problem:
        log.info("the backend does not evaluate policies: %s", problem)
        return False
    return any(one["EvalDecision"] == "allowed" for one in answer["EvaluationResults"])


async def _allows(role: str, cluster_arn: str) -> bool:
    """What the role's policies say, read one by one. A Deny wins."""
    effects: set[str] = set()
    for name in (await aws.call("iam", "list_role_policies", RoleName=role))["PolicyNames"]:
        document = (await aws.call("iam", "get_role_policy", RoleName=role, PolicyName=name))["PolicyDocument"]
        effects |= _effects(document, cluster_arn)
    for attached in (await aws.call("iam", "list_attached_role_policies", RoleName=role))["AttachedPolicies"]:
        if attached["PolicyArn"] in ALLOWING:
            effects.add("Allow")
        elif not attached["PolicyArn"].startswith("arn:aws:iam::aws:"):
            effects |= await _effects_of(attached["PolicyArn"], cluster_arn)
    return effects == {"Allow"}


async def _effects_of(policy: str, cluster_arn: str) -> set[str]:
    version = (await aws.call("iam", "get_policy", PolicyArn=policy))["Policy"]["DefaultVersionId"]
    answer = await aws.call("iam", "get_policy_version", PolicyArn=policy, VersionId=version)
    return _effects(answer["PolicyVersion"]["Document"], cluster_arn)


def _effects(document: dict[str, Any], cluster_arn: str) -> set[str]:
    """`Allow` and `Deny` of the statements that are about registering with this cluster."""
    found = set()
    for one in _list(document.get("Statement")):
        about = any(fnmatch.fnmatchcase(ACTION.lower(), str(action).lower()) for action in _list(one.get("Action")))
        on = any(fnmatch.fnmatchcase(cluster_arn, str(resource)) for resource in _list(one.get("Resource")))
        if about and on:
            found.add(str(one.get("Effect")))
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
