"""The attributes of load balancers, listeners and target groups: their defaults and the values they may have.

Source: the Key lists of LoadBalancerAttribute, ListenerAttribute and TargetGroupAttribute in the API reference,
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
"""

import re
from collections.abc import Mapping
from typing import Any

from labs.cloud.frame.errors import AwsError

Kind = tuple[str, str]  # the default value, and a regular expression for all values

_FLAG = "true|false"
_TEXT = ".*"
_XFF = "append|preserve|remove"

_LOAD_BALANCER: dict[str, Kind] = {
    "access_logs.s3.enabled": ("false", _FLAG),
    "access_logs.s3.bucket": ("", _TEXT),
    "access_logs.s3.prefix": ("", _TEXT),
    "deletion_protection.enabled": ("false", _FLAG),
    "load_balancing.cross_zone.enabled": ("false", _FLAG),
}
_APPLICATION: dict[str, Kind] = _LOAD_BALANCER | {
    "load_balancing.cross_zone.enabled": ("true", "true"),
    "client_keep_alive.seconds": ("3600", r"[1-9]\d*"),
    "connection_logs.s3.enabled": ("false", _FLAG),
    "connection_logs.s3.bucket": ("", _TEXT),
    "connection_logs.s3.prefix": ("", _TEXT),
    "idle_timeout.timeout_seconds": ("60", r"[1-9]\d{0,3}"),
    "ipv6.deny_all_igw_traffic": ("false", _FLAG),
    "routing.http.desync_mitigation_mode": ("defensive", "monitor|defensive|strictest"),
    "routing.http.drop_invalid_header_fields.enabled": ("false", _FLAG),
    "routing.http.preserve_host_header.enabled": ("false", _FLAG),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": ("false", _FLAG),
    "routing.http.xff_client_port.enabled": ("false", _FLAG),
    "routing.http.xff_header_processing.mode": ("append", _XFF),
    "routing.http2.enabled": ("true", _FLAG),
    "waf.fail_open.enabled": ("false", _FLAG),
    "zonal_shift.config.enabled": ("false", _FLAG),
}
_NETWORK: dict[str, Kind] = _LOAD_BALANCER | {
    "dns_record.client_routing_policy": (
        "any_availability_zone",
        "any_availability_zone|availability_zone_affinity|partial_availability_zone_affinity",
    ),
    "ipv6.deny_all_igw_traffic": ("false", _FLAG),
    "zonal_shift.config.enabled": ("false", _FLAG),
}
_TARGET_GROUP: dict[str, Kind] = {
    "deregistration_delay.timeout_seconds": ("300", r"\d{1,4}"),
    "load_balancing.cross_zone.enabled": (
        "use_load_balancer_configuration",
        f"{_FLAG}|use_load_balancer_configuration",
    ),
    "stickiness.enabled": ("false", _FLAG),
    "target_group_health.dns_failover.minimum_healthy_targets.count": ("1", r"off|\d+"),
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": ("off", r"off|\d+"),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": ("1", "1"),
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": ("off", "off"),
}
_HTTP_GROUP: dict[str, Kind] = _TARGET_GROUP | {
    "load_balancing.algorithm.anomaly_mitigation": ("off", "off"),
    "load_balancing.algorithm.type": ("round_robin", "round_robin|least_outstanding_requests|weighted_random"),
    "slow_start.duration_seconds": ("0", r"\d{1,3}"),
    "stickiness.app_cookie.cookie_name": ("", r"[!#$%&'*+\-.^_`|~0-9A-Za-z]*"),
    "stickiness.app_cookie.duration_seconds": ("86400", r"[1-9]\d*"),
    "stickiness.lb_cookie.duration_seconds": ("86400", r"[1-9]\d*"),
    "stickiness.type": ("lb_cookie", "lb_cookie|app_cookie"),
}
_TCP_GROUP: dict[str, Kind] = _TARGET_GROUP | {
    "deregistration_delay.connection_termination.enabled": ("false", _FLAG),
    "preserve_client_ip.enabled": ("false", "false"),
    "proxy_protocol_v2.enabled": ("false", _FLAG),
    "stickiness.type": ("source_ip", "source_ip"),
}
_LISTENER: dict[str, Kind] = {"routing.http.response.server.enabled": ("true", _FLAG)}
_TCP_LISTENER: dict[str, Kind] = {"tcp.idle_timeout.seconds": ("350", r"\d{2,4}")}

_RANGES = {
    "client_keep_alive.seconds": (60, 604800),
    "deregistration_delay.timeout_seconds": (0, 3600),
    "idle_timeout.timeout_seconds": (1, 4000),
    "slow_start.duration_seconds": (0, 900),
    "stickiness.app_cookie.duration_seconds": (1, 604800),
    "stickiness.lb_cookie.duration_seconds": (1, 604800),
    "tcp.idle_timeout.seconds": (60, 6000),
}


def of_load_balancer(kind: str) -> dict[str, Kind]:
    """The attributes of a load balancer of this type."""
    return _APPLICATION if kind == "application" else _NETWORK


def of_target_group(protocol: str) -> dict[str, Kind]:
    """The attributes of a target group of this protocol."""
    return _HTTP_GROUP if protocol in ("HTTP", "HTTPS") else _TCP_GROUP


def of_listener(protocol: str) -> dict[str, Kind]:
    """The attributes of a listener of this protocol."""
    return _LISTENER if protocol in ("HTTP", "HTTPS") else _TCP_LISTENER


def defaults(known: Mapping[str, Kind]) -> dict[str, str]:
    """The values that attributes have before anybody sets them."""
    return {key: default for key, (default, _) in known.items()}


def merged(present: Mapping[str, str], changes: list[dict[str, Any]], known: Mapping[str, Kind]) -> dict[str, str]:
    """The attributes after a change.

    Args:
        present: key to value.
        changes: `[{"Key": ..., "Value": ...}]` of a request.
        known: what there is.

    Raises:
        AwsError: an unknown key, a value that does not fit, or a key that comes twice.
    """
    found = dict(present)
    seen: set[str] = set()
    for change in changes:
        key, value = change.get("Key", ""), change.get("Value", "")
        if key in seen:
            raise AwsError("InvalidConfigurationRequest", f"Attribute key '{key}' was specified more than once")
        seen.add(key)
        if key not in known:
            raise AwsError("InvalidConfigurationRequest", f"Load balancer attribute key '{key}' is not recognized")
        if not re.fullmatch(known[key][1], value):
            raise AwsError("InvalidConfigurationRequest", f"The value '{value}' is not valid for attribute '{key}'")
        _require_range(key, value)
        found[key] = value
    _require_whole(found)
    return found


def listed(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Attributes as the API returns them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _require_range(key: str, value: str) -> None:
    if key not in _RANGES:
        return
    low, high = _RANGES[key]
    zero_or_more = key == "slow_start.duration_seconds" and value == "0"
    least = 30 if key == "slow_start.duration_seconds" else low
    if not zero_or_more and not least <= int(value) <= high:
        raise AwsError(
            "InvalidConfigurationRequest", f"The value of '{key}' must be between {least} and {high} inclusive"
        )


def _require_whole(values: Mapping[str, str]) -> None:
    """Refuses what single values do not show."""
    enabled = values.get("stickiness.enabled") == "true"
    if enabled and values.get("stickiness.type") == "app_cookie":
        name = values.get("stickiness.app_cookie.cookie_name", "")
        if not name or name.startswith(("AWSALB", "AWSALBAPP", "AWSALBTG")):
            raise AwsError(
                "InvalidConfigurationRequest",
                "Application cookie stickiness needs a cookie name, and names that begin with AWSALB are reserved",
            )
    if values.get("slow_start.duration_seconds", "0") != "0" and (
        values.get("load_balancing.algorithm.type") != "round_robin"
    ):
        raise AwsError("InvalidConfigurationRequest", "Slow start works only with the round robin routing algorithm")
