"""Account settings: what is on or off for the account, for one of its users or roles, or by AWS's default.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html
"""

import re
from typing import Any, NamedTuple

from labs import settings
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import paging
from labs.cloud.frame.errors import AwsError
from labs.cloud.frame.service import Request

MOST_LISTED = 10
ROOT = f"arn:aws:iam::{settings.ACCOUNT}:root"
_PRINCIPAL = re.compile(rf"arn:aws:iam::{settings.ACCOUNT}:(root|user/.+|role/.+)")


class _Setting(NamedTuple):
    """A setting's values, AWS's default first."""

    values: tuple[str, ...]
    type: str = "user"


_SWITCH = ("disabled", "enabled")
_ALWAYS_ON = ("enabled", "disabled")
SETTINGS = {
    "serviceLongArnFormat": _Setting(_ALWAYS_ON),
    "taskLongArnFormat": _Setting(_ALWAYS_ON),
    "containerInstanceLongArnFormat": _Setting(_ALWAYS_ON),
    "awsvpcTrunking": _Setting(_SWITCH),
    "containerInsights": _Setting(("disabled", "enabled", "enhanced")),
    "fargateFIPSMode": _Setting(_SWITCH),
    "tagResourceAuthorization": _Setting(("on", "off")),
    "fargateTaskRetirementWaitPeriod": _Setting(("7", "0", "14")),
    "guardDutyActivate": _Setting(("off", "on"), "aws_managed"),
    "defaultLogDriverMode": _Setting(("non-blocking", "blocking")),
    "fargateEventWindows": _Setting(_SWITCH),
}


def effective(ecs: Ecs, region: str, name: str, principal: str = ROOT) -> str:
    """The value of a setting that counts: the principal's own, else the account's, else AWS's default.

    Args:
        ecs: the state.
        region: settings are kept for each region.
        name: of the setting, e.g. `containerInsights`.
        principal: the ARN of a user or role.
    """
    for owner in (principal, ROOT):
        if kept := ecs.account_settings.get(_key(region, owner, name)):
            return kept["value"]
    return SETTINGS[name].values[0]


def put_account_setting(ecs: Ecs, request: Request) -> dict[str, Any]:
    """PutAccountSetting.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAccountSetting.html
    """
    return _put(ecs, request, _principal(request))


def put_account_setting_default(ecs: Ecs, request: Request) -> dict[str, Any]:
    """PutAccountSettingDefault: for everybody who has no setting of their own.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAccountSettingDefault.html
    """
    return _put(ecs, request, ROOT)


def list_account_settings(ecs: Ecs, request: Request) -> dict[str, Any]:
    """ListAccountSettings.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListAccountSettings.html
    """
    name, value = request.get("name"), request.get("value")
    if value and not name:
        raise AwsError(
            "InvalidParameterException", "You must also specify an account setting name to filter by a value."
        )
    principal = _principal(request)
    names = [name] if name else list(SETTINGS)
    if request.get("effectiveSettings"):
        found = [_told(one, effective(ecs, request.region, one, principal), principal) for one in names]
    else:
        kept = (ecs.account_settings.get(_key(request.region, principal, one)) for one in names)
        found = [_told(one["name"], one["value"], principal) for one in kept if one]
    found = [one for one in found if value is None or one["value"] == value]
    part, token = paging.page(found, request.get("maxResults"), request.get("nextToken"), most=MOST_LISTED)
    return {"settings": part, "nextToken": token}


def delete_account_setting(ecs: Ecs, request: Request) -> dict[str, Any]:
    """DeleteAccountSetting: the account's setting, or AWS's default, counts again.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteAccountSetting.html
    """
    name, principal = request["name"], _principal(request)
    _require_ours(name)
    key = _key(request.region, principal, name)
    value = ecs.account_settings[key]["value"] if key in ecs.account_settings else None
    ecs.account_settings.drop(key)
    return {"setting": _told(name, value or effective(ecs, request.region, name, principal), principal)}


def _put(ecs: Ecs, request: Request, principal: str) -> dict[str, Any]:
    name, value = request["name"], request["value"]
    _require_ours(name)
    allowed = SETTINGS[name].values
    if value not in allowed:
        raise AwsError(
            "InvalidParameterException",
            f"The value '{value}' is not valid for the account setting {name}. Valid values: {', '.join(allowed)}.",
        )
    ecs.account_settings.put(
        _key(request.region, principal, name), {"name": name, "value": value, "principalArn": principal}
    )
    return {"setting": _told(name, value, principal)}


def _require_ours(name: str) -> None:
    if SETTINGS[name].type == "aws_managed":
        raise AwsError("InvalidParameterException", f"The account setting {name} is managed by AWS and read-only.")


def _principal(request: Request) -> str:
    principal = request.get("principalArn", ROOT)
    if not _PRINCIPAL.fullmatch(principal):
        raise AwsError(
            "InvalidParameterException", "The principal ARN must be that of a user, a role or the root user."
        )
    return principal


def _told(name: str, value: str, principal: str) -> dict[str, str]:
    return {"name": name, "value": value, "principalArn": principal, "type": SETTINGS[name].type}


def _key(region: str, principal: str, name: str) -> str:
    return f"{region} {principal} {name}"


OPERATIONS = {
    "PutAccountSetting": put_account_setting,
    "PutAccountSettingDefault": put_account_setting_default,
    "ListAccountSettings": list_account_settings,
    "DeleteAccountSetting": delete_account_setting,
}
