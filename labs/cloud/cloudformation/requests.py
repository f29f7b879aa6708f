"""What the operations that make or change stacks have in common: the template of a request, and what it may not be."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from labs.cloud.cloudformation import parameters
from labs.cloud.cloudformation import template as templates
from labs.cloud.cloudformation.kinds import foreign, table
from labs.cloud.cloudformation.state import CloudFormation
from labs.cloud.cloudformation.template import INVALID, MOST_BYTES, MOST_BYTES_IN_S3, Template
from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request
from labs.cloud.frame.store import Record

_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com")
_NEEDS_IAM = re.compile(
    r"AWS::IAM::(AccessKey|Group|InstanceProfile|ManagedPolicy|Policy|Role|User|UserToGroupAddition)"
)
_IAM_NAMES = ("RoleName", "GroupName", "UserName", "ManagedPolicyName", "InstanceProfileName")


@dataclass(frozen=True)
class Draft:
    """What a request wants of a stack.

    Args:
        body: the template's text.
        template: the same, read.
        parameters: as the stack tells them.
        values: what `Ref` of each parameter is.
    """

    body: str
    template: Template
    parameters: list[dict[str, Any]]
    values: dict[str, Any]


async def draft(cfn: CloudFormation, request: Request, stack: Record | None = None) -> Draft:
    """The template and the parameters of a request, checked as far as that is possible before anything is made.

    Raises:
        AwsError: as AWS refuses it.
    """
    text = await body(request, stack)
    template = templates.read(text)
    before = stack.get("_parameters", []) if stack else []
    settled, values = await parameters.settle(template, request.get("Parameters", []), before, request.region)
    await check(cfn, request.region, template, request.get("Capabilities", []))
    return Draft(text, template, settled, values)


async def body(request: Request, stack: Record | None = None) -> str:
    """The text of the template that a request means.

    Raises:
        AwsError: there is none, or it is too long.
    """
    if request.get("UsePreviousTemplate"):
        if stack is None or request.get("TemplateBody") or request.get("TemplateURL"):
            raise AwsError(INVALID, "UsePreviousTemplate cannot be given with a new template or for a new stack.")
        return stack["_body"]
    if request.get("TemplateBody") and request.get("TemplateURL"):
        raise AwsError(INVALID, "Only one of TemplateBody or TemplateURL may be specified.")
    if text := request.get("TemplateBody"):
        if len(text.encode()) > MOST_BYTES:
            raise AwsError(
                INVALID,
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
                f"length less than or equal to {MOST_BYTES}",
            )
        return text
    if url := request.get("TemplateURL"):
        return await _from_s3(url, request.region)
    raise AwsError(INVALID, "Either Template URL or Template Body must be specified.")


async def check(cfn: CloudFormation, region: str, template: Template, capabilities: list[str]) -> None:
    """Whether a stack can be made of a template at all.

    Raises:
        AwsError: of a type that nobody has, or of capabilities that were not given.
    """
    kinds = sorted({one["Type"] for one in template["Resources"].values()})
    await require_types(cfn, region, kinds)
    missing = needed_capabilities(template)
    if missing and not set(capabilities) & {"CAPABILITY_NAMED_IAM", *missing}:
        raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")


async def require_types(cfn: CloudFormation, region: str, kinds: list[str]) -> None:
    """Refuses types that neither we nor the backend have.

    Raises:
        AwsError: ValidationError.
    """
    await asyncio.to_thread(table.kinds)
    unknown = [kind for kind in kinds if table.find(cfn, kind) is None and not table.is_foreign(cfn, kind)]
    asked = [kind for kind in kinds if table.is_foreign(cfn, kind)]
    try:
        await foreign.supported(cfn, region, asked)
    except AwsError as problem:
        named = re.search(r"Unrecognized resource types: \[([^]]*)\]", problem.message)
        if not named:
            raise
        unknown += [name.strip() for name in named[1].split(",")]
    if unknown:
        text = f"Template format error: Unrecognized resource types: [{', '.join(sorted(unknown))}]"
        raise AwsError(INVALID, text)


def needed_capabilities(template: Template) -> list[str]:
    """The capability that a template needs, if any.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    """
    found = [one for one in template["Resources"].values() if _NEEDS_IAM.fullmatch(one["Type"])]
    if any(name in (one.get("Properties") or {}) for one in found for name in _IAM_NAMES
           if one["Type"].endswith(name.removesuffix("Name"))):  # fmt: skip
        return ["CAPABILITY_NAMED_IAM"]
    return ["CAPABILITY_IAM"] if found else []


def plain_tags(request: Request) -> list[dict[str, Any]]:
    """The tags of a request.

    Raises:
        AwsError: too many, or some that are AWS's.
    """
    tags = request.get("Tags", [])
    if len(tags) > 50:
        raise AwsError(INVALID, "A stack can have 50 tags at most.")
    for one in tags:
        if one["Key"].lower().startswith("aws:"):
            raise AwsError(INVALID, f"Tag key '{one['Key']}' begins with 'aws:', which is reserved for AWS.")
    return tags


async def _from_s3(url: str, region: str) -> str:
    parts = urlsplit(url)
    path = unquote(parts.path).lstrip("/")
    host = _S3_HOST.fullmatch(parts.hostname or "")
    local = (parts.hostname or "").endswith("localhost") or parts.hostname == "127.0.0.1"
    bucket = host["bucket"] if host else None
    if not (host or local) or not path:
        raise AwsError(INVALID, "TemplateURL must be a supported URL.")
    if bucket is None:
        bucket, _, path = path.partition("/")
    try:
        answer = await aws.call("s3", "get_object", region=region, Bucket=bucket, Key=path)
    except ClientError as problem:
        code = problem.response["Error"]["Code"]
        raise AwsError(INVALID, f"S3 error: {problem.response['Error'].get('Message') or code}") from None
    text = answer["Body"].read(MOST_BYTES_IN_S3 + 1)
    if len(text) > MOST_BYTES_IN_S3:
        raise AwsError(INVALID, "Template may not exceed 1000000 bytes in size.")
    return text.decode("utf-8", "replace")
