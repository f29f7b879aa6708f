"""The values of a template's parameters.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

import re
from typing import Any

from botocore.exceptions import ClientError

from labs.cloud.cloudformation.template import INVALID, Template
from labs.cloud.frame import aws
from labs.cloud.frame.errors import AwsError

HIDDEN = "****"
_FROM_SSM = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
# How the existence of what a parameter names is asked for: (operation, argument).
_EXISTING = {
    "AWS::EC2::VPC::Id": ("describe_vpcs", "VpcIds"),
    "AWS::EC2::Subnet::Id": ("describe_subnets", "SubnetIds"),
    "AWS::EC2::SecurityGroup::Id": ("describe_security_groups", "GroupIds"),
}
_TYPES = re.compile(
    r"String|Number|List<Number>|CommaDelimitedList|AWS::SSM::Parameter::Name"
    r"|AWS::(EC2|Route53)::[A-Za-z:]+|List<(String|AWS::(EC2|Route53)::[A-Za-z:]+)>"
)


async def settle(
    template: Template, given: list[dict[str, Any]], before: list[dict[str, Any]], region: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The parameters of an operation on a stack.

    Args:
        template: declares them.
        given: the request's `Parameters`.
        before: those of the stack so far, in the shape of the first result.
        region: where SSM and EC2 are asked.

    Returns:
        `[{"ParameterKey", "ParameterValue", "ResolvedValue"?}]`, with the values as they are; and what `Ref` of each
        one is.

    Raises:
        AwsError: ValidationError.
    """
    declared = template.get("Parameters") or {}
    sent = {one["ParameterKey"]: one for one in given}
    if unknown := sorted(set(sent) - set(declared)):
        raise AwsError(INVALID, f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    old = {one["ParameterKey"]: one["ParameterValue"] for one in before}
    texts, missing = {}, []
    for name, about in declared.items():
        one = sent.get(name)
        if one and one.get("UsePreviousValue"):
            if name not in old:
                raise AwsError(
                    INVALID, f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a "
                    "parameter key not in the previous template",
                )  # fmt: skip
            texts[name] = old[name]
        elif one and "ParameterValue" in one:
            texts[name] = one["ParameterValue"]
        elif "Default" in about:
            texts[name] = _plain(about["Default"])
        else:
            missing.append(name)
    if missing:
        raise AwsError(INVALID, f"Parameters: [{', '.join(missing)}] must have values")
    shown, values = [], {}
    for name, about in declared.items():
        kind, text = about.get("Type", "String"), texts[name]
        one = {"ParameterKey": name, "ParameterValue": text}
        _check(name, about, text)
        if found := _FROM_SSM.fullmatch(kind):
            kind, text = found[1], await _from_ssm(name, text, region)
            one["ResolvedValue"] = text
        elif not _TYPES.fullmatch(kind):
            raise AwsError(INVALID, f"Template format error: Unrecognized parameter type: {kind}")
        values[name] = _value(kind, text)
        await _check_exists(name, kind, values[name], region)
        shown.append(one)
    return shown, values


def shown(template: Template, settled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parameters as a stack tells them: a `NoEcho` one is hidden."""
    declared = template.get("Parameters") or {}
    hidden = {name for name, about in declared.items() if str(about.get("NoEcho", "")).lower() == "true"}
    return [{**one, "ParameterValue": HIDDEN} if one["ParameterKey"] in hidden else one for one in settled]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _value(kind: str, text: str) -> Any:
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [part.strip() for part in text.split(",")] if text else []
    return text


def _check(name: str, about: dict[str, Any], text: str) -> None:
    kind = about.get("Type", "String")
    parts = [part.strip() for part in text.split(",")] if kind in ("CommaDelimitedList", "List<Number>") else [text]
    allowed = [_plain(one) for one in about.get("AllowedValues", [])]
    problem = None
    if kind in ("Number", "List<Number>"):
        for part in parts:
            try:
                number = float(part)
            except ValueError:
                raise AwsError(INVALID, f"Parameter '{name}' must be a number.") from None
            if "MinValue" in about and number < float(about["MinValue"]):
                problem = f"must be a number not less than {about['MinValue']}"
            if "MaxValue" in about and number > float(about["MaxValue"]):
                problem = f"must be a number not greater than {about['MaxValue']}"
    elif kind == "String":
        if "MinLength" in about and len(text) < int(about["MinLength"]):
            problem = f"must contain at least {about['MinLength']} characters"
        if "MaxLength" in about and len(text) > int(about["MaxLength"]):
            problem = f"must contain at most {about['MaxLength']} characters"
    if "AllowedPattern" in about and not all(re.fullmatch(about["AllowedPattern"], part) for part in parts):
        problem = f"must match pattern {about['AllowedPattern']}"
    if allowed and not all(part in allowed for part in parts):
        problem = f"must be one of AllowedValues [{', '.join(allowed)}]"
    if problem:
        raise AwsError(INVALID, f"Parameter '{name}' {about.get('ConstraintDescription') or problem}")


async def _from_ssm(name: str, key: str, region: str) -> str:
    try:
        answer = await aws.call("ssm", "get_parameter", region=region, Name=key)
    except ClientError:
        raise AwsError(
            INVALID,
            f"Unable to fetch parameters [{key}] from parameter store for this account.",
        ) from None
    return answer["Parameter"]["Value"]


async def _check_exists(name: str, kind: str, value: Any, region: str) -> None:
    inner = kind.removeprefix("List<").removesuffix(">")
    if inner not in _EXISTING:
        return
    operation, argument = _EXISTING[inner]
    for one in value if isinstance(value, list) else [value]:
        try:
            await aws.call("ec2", operation, region=region, **{argument: [one]})
        except ClientError:
            raise AwsError(
                INVALID,
                f"Parameter validation failed: parameter value {one} for parameter name {name} does not exist",
            ) from None
