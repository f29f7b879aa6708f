"""What CloudWatch is told of load balancers and their targets.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html
"""

from collections.abc import Mapping
from typing import Any

from labs.cloud.frame import arns
from labs.cloud.frame.store import Record

EVERY_SECONDS = 10.0
NAMESPACES = {"application": "AWS/ApplicationELB", "network": "AWS/NetworkELB"}


def data(balancer: Record, groups: list[Record], sums: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """The `MetricData` of a load balancer, for `NAMESPACES[its type]`; empty if there is nothing to tell.

    Args:
        balancer: its record.
        groups: the target groups that it forwards to.
        sums: from `Traffic.take`.
    """
    own = [{"Name": "LoadBalancer", "Value": arns.resource(balancer["LoadBalancerArn"]).partition("/")[2]}]
    application = balancer["Type"] == "application"
    total = sums.get("", {})
    found: list[dict[str, Any]] = []
    if application and total.get("req_tot"):
        found.append(_metric("RequestCount", own, total["req_tot"]))
        found.append(_metric("ProcessedBytes", own, total["bin"], "Bytes"))
        if elb := max(0, total.get("all_5xx", 0) - total.get("target_5xx", 0)):
            found.append(_metric("HTTPCode_ELB_5XX_Count", own, elb))
    elif not application and total.get("stot"):
        found.append(_metric("NewFlowCount", own, total["stot"]))
        found.append(_metric("ProcessedBytes", own, total["bin"], "Bytes"))
    for group in groups:
        dimensions = [*own, {"Name": "TargetGroup", "Value": arns.resource(group["TargetGroupArn"])}]
        found += _of_group(group, dimensions, sums.get(group["TargetGroupArn"], {}), own, application)
    return found


def _of_group(
    group: Record, both: list[dict[str, str]], sums: Mapping[str, float], own: list[dict[str, str]], application: bool
) -> list[dict[str, Any]]:
    states = [target["_health"]["State"] for target in group["_targets"].values()]
    found = []
    if states:
        healthy = states.count("healthy")
        found.append(_metric("HealthyHostCount", both, healthy))
        found.append(_metric("UnHealthyHostCount", both, states.count("unhealthy")))
    if not application or not sums.get("req_tot"):
        return found
    found.append(_metric("RequestCount", both, sums["req_tot"]))
    per_target = sums["req_tot"] / max(1, states.count("healthy"))
    found += [_metric("RequestCountPerTarget", whose, per_target) for whose in (both, both[-1:])]
    for code in ("2xx", "3xx", "4xx", "5xx"):
        if number := sums.get(f"hrsp_{code}"):
            name = f"HTTPCode_Target_{code.upper()}_Count"
            found += [_metric(name, both, number), _metric(name, own, number)]
    if sums.get("rtime_count"):
        found.append(_metric("TargetResponseTime", both, sums["rtime"] / sums["rtime_count"], "Seconds"))
    return found


def _metric(name: str, dimensions: list[dict[str, str]], value: float, unit: str = "Count") -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit}
