"""The services that the course uses of a real account, and which of their operations pass.

Deny by default: what is not here is refused before anything leaves the machine. What makes something has to be able to
carry a tag, for only what is tagged can be found again and removed. Facts from botocore's models.
"""

import functools
from typing import NamedTuple

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

# SigV4 signing names to botocore's names.
SERVICES = {
    "application-autoscaling": "application-autoscaling",
    "apprunner": "apprunner",
    "autoscaling": "autoscaling",
    "cloudformation": "cloudformation",
    "ec2": "ec2",
    "ecr": "ecr",
    "ecs": "ecs",
    "eks": "eks",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "events": "events",
    "iam": "iam",
    "logs": "logs",
    "monitoring": "cloudwatch",
    "scheduler": "scheduler",
    "secretsmanager": "secretsmanager",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
    "sts": "sts",
    "tagging": "resourcegroupstaggingapi",
}
# First words of operations that make nothing new: they read, change what is there, or take away.
HARMLESS = (
    "Add", "Assign", "Associate", "Assume", "Attach", "Authorize", "Batch", "Cancel", "Change", "Complete", "Continue",
    "Decode", "Delete", "Deregister", "Describe", "Detach", "Detect", "Disable", "Disassociate", "Discover", "Enable",
    "Enter", "Estimate", "Execute", "Exit", "Filter", "Generate", "Get", "Initiate", "List", "Lookup", "Modify",
    "Pause",
    "Poll", "Preview", "Publish", "Purge", "Put", "Receive", "Record", "Register", "Release", "Remove", "Replace",
    "Reset", "Resume", "Revoke", "Rollback", "Send", "Set", "Signal", "Simulate", "Start", "Stop", "Submit", "Suspend",
    "Tag", "Terminate", "Test", "Unassign", "Unsubscribe", "Untag", "Update", "Upload", "Validate",
)  # fmt: skip
# Untagged things that go away with what they are part of, or that AWS keeps once for the whole account, free of charge.
WITH_ITS_PARENT = {
    "ec2": ("CreateRoute", "CreateTags"),
    "elasticfilesystem": ("CreateMountTarget", "CreateTags"),
    "iam": ("CreatePolicyVersion", "CreateServiceLinkedRole"),
    "logs": ("CreateLogStream",),
    "autoscaling": ("CreateOrUpdateTags",),
    "scheduler": ("CreateSchedule",),  # in a group of its own: `tags.why_not`
    "sns": ("Subscribe", "ConfirmSubscription"),
}
# What changes the whole account, cannot be taken back, or costs by the month.
NEVER = {
    "ec2": ("PurchaseReservedInstancesOffering", "PurchaseHostReservation", "PurchaseScheduledInstances"),
    "ecr": (
        "PutAccountSetting",
        "PutRegistryPolicy",
        "PutReplicationConfiguration",
        "PutRegistryScanningConfiguration",
    ),
    "ecs": ("PutAccountSettingDefault",),
    "eks": ("CreateEksAnywhereSubscription", "RegisterCluster"),
    "iam": ("CreateAccessKey", "CreateLoginProfile", "CreateUser", "UpdateAccountPasswordPolicy"),
    "logs": ("PutAccountPolicy", "PutDestination", "StartQuery"),
    "monitoring": ("PutDashboard", "PutInsightRule", "PutMetricStream"),
    "ssm": ("CreateActivation", "PutResourcePolicy"),
}
_TAGS = ("tags", "tagspecifications")
# They have a member for tags, which are not those of something new.
_OTHER_TAGS = (
    "Tag",
    "Untag",
    "AddTags",
    "DeleteTags",
    "CreateTags",
    "CreateOrUpdateTags",
    "Update",
    "Assume",
    "GetFed",
)


class Verdict(NamedTuple):
    """What becomes of an operation: `refusal` in a sentence, or the name of the member that takes tags, or neither."""

    refusal: str | None = None
    tags: str | None = None


@functools.cache
def model(signing_name: str) -> ServiceModel:
    """botocore's model of a service. Seconds for the largest: not for the event loop."""
    name = SERVICES[signing_name]
    return ServiceModel(Loader().load_service_model(name, "service-2"), service_name=name)


def judge(signing_name: str, operation: OperationModel) -> Verdict:
    """Whether an operation passes, and with which tags.

    Args:
        signing_name: one of `SERVICES`.
        operation: of that service's model.
    """
    name = operation.name
    if name in NEVER.get(signing_name, ()):
        return Verdict(f"{name} changes the whole account or costs by the month; the course has no use for it.")
    tags = tags_member(operation)
    if tags:
        return Verdict(tags=tags)
    if name.startswith(HARMLESS) or name in WITH_ITS_PARENT.get(signing_name, ()):
        return Verdict()
    return Verdict(
        f"What {name} makes carries no tag, so that the course could not find and remove it afterwards. Make it with "
        "your own tools if you need it."
    )


def tags_member(operation: OperationModel) -> str | None:
    """The input member that takes the tags of something new, e.g. `tags`; None if nothing taggable is made."""
    if operation.input_shape is None or operation.name.startswith(_OTHER_TAGS):
        return None
    return next((member for member in operation.input_shape.members if member.lower() in _TAGS), None)
