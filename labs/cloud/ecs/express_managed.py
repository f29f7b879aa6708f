"""What a service revision tells of the pieces that Express Mode has made for it.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ECSManagedResources.html
"""

from typing import Any

from labs.cloud.ecs import express_input
from labs.cloud.ecs.state import Ecs
from labs.cloud.frame import arns


def resources(ecs: Ecs, record: dict[str, Any], endpoint: dict[str, str]) -> dict[str, Any]:
    """The managed resources of an Express service.

    Args:
        ecs: the state.
        record: the Express service's.
        endpoint: its ingress path, `{"accessType": ..., "endpoint": ...}`.
    """
    made, configuration = record["_made"], record["_configuration"]
    if "definition" not in made:
        return {}
    region, place = arns.region(record["serviceArn"]), record["_place"]
    port = express_input.port_of(ecs.task_definitions[made["definition"]])
    target = configuration["scalingTarget"]
    state = {"status": "ACTIVE", "updatedAt": record["updatedAt"]}

    def group(name: str) -> list[dict[str, Any]]:
        return [{"arn": arns.make("ec2", region, f"security-group/{made[name]}"), **state}] if name in made else []

    path = {
        **endpoint,
        "loadBalancer": {
            "arn": made["balancer"],
            "scheme": "internet-facing" if place["public"] else "internal",
            "subnetIds": place["subnets"],
            "securityGroupIds": [made["balancer_group"]],
            **state,
        },
        "loadBalancerSecurityGroups": group("balancer_group"),
        "certificate": {"arn": made["certificate"], "domainName": record["_host"], **state},
        "listener": {"arn": made["listener"], **state},
        "rule": {"arn": made["rule"], **state},
        "targetGroups": [
            {
                "arn": arn,
                "healthCheckPath": configuration["healthCheckPath"],
                "healthCheckPort": port,
                "port": port,
                **state,
            }
            for arn in made["groups"]
        ],
    }
    scaling = {
        "scalableTarget": {"minCapacity": target["minTaskCount"], "maxCapacity": target["maxTaskCount"], **state},
        "applicationAutoScalingPolicies": [
            {
                "arn": made["policy"],
                "policyType": "TargetTrackingScaling",
                "targetValue": float(target["autoScalingTargetValue"]),
                "metric": express_input.METRICS[target["autoScalingMetric"]],
                **state,
            }
        ]
        if "policy" in made
        else [],
    }
    log_group = made.get("logGroup")
    return {
        "ingressPaths": [path],
        "autoScaling": scaling,
        "metricAlarms": [{"arn": arns.make("cloudwatch", region, f"alarm:{made['alarm']}"), **state}],
        "serviceSecurityGroups": group("service_group"),
        "logGroups": [{"arn": arns.make("logs", region, f"log-group:{log_group}"), "logGroupName": log_group, **state}]
        if log_group
        else [],
    }
