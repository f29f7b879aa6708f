"""The rollback alarm of an Express Mode service: whether more than 1 % of the answers are errors, and who looks.

On AWS the alarm is a metric math expression. The backend has none, so the keeper works the percentage out from the load
balancer's public metrics while a deployment is under way, and sets the alarm's state through the public API.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-update-full.html
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from labs.cloud.frame import arns, aws, clock

PERCENT = 1.0
LOOK_SECONDS = 30.0  # the load balancers tell every 10 s
_ERRORS = ("HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count")


async def put(record: dict[str, Any]) -> str:
    """Makes the alarm; returns its name."""
    name = f"{record['cluster']}-{record['serviceName']}-rollback-{record['_short']}"
    region = arns.region(record["serviceArn"])
    await aws.call(
        "cloudwatch", "put_metric_alarm", region=region,
        AlarmName=name,
        AlarmDescription="More than 1 % of the answers of this Express service are errors (4xx and 5xx).",
        Namespace="AWS/ECS/Express",
        MetricName="ErrorPercentage",
        Dimensions=[{"Name": "ServiceArn", "Value": record["serviceArn"]}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=PERCENT,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )  # fmt: skip
    return name


async def judge(record: dict[str, Any], since: float) -> None:
    """Sets the alarm to what the answers since a deployment began say.

    Args:
        record: the Express service's.
        since: seconds since the epoch.
    """
    made, region = record["_made"], arns.region(record["serviceArn"])
    start = max(since, clock.now() - LOOK_SECONDS)
    balancer = made["balancer"].rpartition("loadbalancer/")[2]
    loud = ""
    for group in made["groups"]:
        about = [
            {"Name": "LoadBalancer", "Value": balancer},
            {"Name": "TargetGroup", "Value": arns.resource(group)},
        ]
        total, *errors = await asyncio.gather(
            *(_sum(region, name, about, start) for name in ("RequestCount", *_ERRORS))
        )
        if total and (percent := 100.0 * sum(errors) / total) > PERCENT:
            loud = f"{percent:.1f} percent of {total:g} answers of {arns.resource(group)} were errors."
    state, why = ("ALARM", loud) if loud else ("OK", "At most 1 percent of the answers were errors.")
    if made.get("alarm_state") != state:
        await aws.call(
            "cloudwatch", "set_alarm_state", region=region, AlarmName=made["alarm"], StateValue=state, StateReason=why
        )
        made["alarm_state"] = state


async def _sum(region: str, name: str, about: list[dict[str, str]], start: float) -> float:
    answer = await aws.call(
        "cloudwatch", "get_metric_statistics", region=region,
        Namespace="AWS/ApplicationELB",
        MetricName=name,
        Dimensions=about,
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(clock.now() + 1, UTC),
        Period=60,
        Statistics=["Sum"],
    )  # fmt: skip
    return sum(one["Sum"] for one in answer["Datapoints"])
