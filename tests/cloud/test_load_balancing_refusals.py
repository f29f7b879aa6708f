"""Elastic Load Balancing refuses what AWS refuses, with AWS's codes, and a refused request changes nothing."""

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cloud_lab import wait_until

pytestmark = pytest.mark.usefixtures("local_aws")


def elb() -> Any:
    return boto3.client("elbv2", config=Config(parameter_validation=False))  # the service is to refuse it, not boto3


def code(operation: str, **parameters: Any) -> str:
    """The code that an operation is refused with."""
    with pytest.raises(ClientError) as caught:
        getattr(elb(), operation)(**parameters)
    return caught.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def strict(local_aws: Path) -> dict[str, Any]:
    """A VPC with two subnets in two zones, and a load balancer and a target group in it."""
    ec2 = boto3.client("ec2")
    found = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [found]}])["Subnets"]
    by_zone = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    chosen = sorted(by_zone.values())[:2]
    made = elb().create_load_balancer(Name="strict", Subnets=chosen)["LoadBalancers"][0]["LoadBalancerArn"]
    wait_until(lambda: elb().describe_load_balancers()["LoadBalancers"][0]["State"]["Code"] == "active", 120)
    group = elb().create_target_group(Name="strict", Protocol="HTTP", Port=80, VpcId=found, TargetType="ip")
    return {"vpc": found, "subnets": chosen, "lb": made, "group": group["TargetGroups"][0]["TargetGroupArn"]}


def forward(strict: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"Type": "forward", "TargetGroupArn": strict["group"]}]


@pytest.fixture(scope="module")
def listener(strict: dict[str, Any]) -> str:
    made = elb().create_listener(LoadBalancerArn=strict["lb"], Protocol="HTTP", Port=80, DefaultActions=forward(strict))
    return made["Listeners"][0]["ListenerArn"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Name": "a" * 33}, "ValidationError"),
        ({"Name": "-a"}, "ValidationError"),
        ({"Name": "internal-a"}, "ValidationError"),
        ({"Name": "a_b"}, "ValidationError"),
        ({"Subnets": ["subnet-0123456789abcdef0", "subnet-1123456789abcdef0"]}, "SubnetNotFound"),
        ({"SecurityGroups": ["sg-0123456789abcdef0"]}, "InvalidSecurityGroup"),
        ({"Name": "strict", "Scheme": "internal"}, "DuplicateLoadBalancerName"),
        ({"Type": "gateway"}, "InvalidConfigurationRequest"),
        ({"Scheme": "outer"}, "ValidationError"),
    ],
)
def test_a_load_balancer_has_to_be_right(strict: dict[str, Any], changes: dict[str, Any], expected: str) -> None:
    before = elb().describe_load_balancers()["LoadBalancers"]
    assert code("create_load_balancer", **{"Name": "other", "Subnets": strict["subnets"]} | changes) == expected
    assert elb().describe_load_balancers()["LoadBalancers"] == before


def test_an_application_load_balancer_needs_two_zones(strict: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="At least two subnets in two different Availability Zones"):
        elb().create_load_balancer(Name="one", Subnets=strict["subnets"][:1])
    twice = [strict["subnets"][0]] * 2
    assert code("create_load_balancer", Name="one", Subnets=twice) == "InvalidConfigurationRequest"


def test_the_same_request_again_answers_with_what_is_there(strict: dict[str, Any], listener: str) -> None:
    again = elb().create_load_balancer(Name="strict", Subnets=strict["subnets"])["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == strict["lb"]
    group = elb().create_target_group(Name="strict", Protocol="HTTP", Port=80, VpcId=strict["vpc"], TargetType="ip")
    assert group["TargetGroups"][0]["TargetGroupArn"] == strict["group"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Name": "strict", "Port": 81}, "DuplicateTargetGroupName"),
        ({"Name": "a b"}, "ValidationError"),
        ({"Port": 70000}, "ValidationError"),
        ({"VpcId": "vpc-0123456789abcdef0"}, "ValidationError"),
        ({"HealthCheckIntervalSeconds": 4}, "ValidationError"),
        ({"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 5}, "ValidationError"),
        ({"HealthyThresholdCount": 1}, "ValidationError"),
        ({"HealthCheckPath": "health"}, "ValidationError"),
        ({"Matcher": {"HttpCode": "500"}}, "ValidationError"),
        ({"Protocol": "UDP"}, "UnsupportedProtocol"),
        ({"TargetType": "lambda"}, "InvalidConfigurationRequest"),
    ],
)
def test_a_target_group_has_to_be_right(strict: dict[str, Any], changes: dict[str, Any], expected: str) -> None:
    wanted = {"Name": "other", "Protocol": "HTTP", "Port": 80, "VpcId": strict["vpc"], "TargetType": "ip"}
    assert code("create_target_group", **wanted | changes) == expected


def test_a_listener_has_to_be_right(strict: dict[str, Any], listener: str) -> None:
    wanted = {"LoadBalancerArn": strict["lb"], "Protocol": "HTTP", "Port": 81, "DefaultActions": forward(strict)}
    missing = strict["group"][:-4] + "0000"
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    assert code("create_listener", **wanted | {"Port": 80, "DefaultActions": fixed}) == "DuplicateListener"
    assert code("create_listener", **wanted | {"Protocol": "HTTPS"}) == "ValidationError"
    assert code("create_listener", **wanted | {"Protocol": "TCP"}) == "ValidationError"
    assert code("create_listener", **wanted | {"LoadBalancerArn": strict["lb"] + "0"}) == "LoadBalancerNotFound"
    unknown = [{"Type": "forward", "TargetGroupArn": missing}]
    assert code("create_listener", **wanted | {"DefaultActions": unknown}) == "TargetGroupNotFound"
    loop = [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}]
    assert code("create_listener", **wanted | {"DefaultActions": loop}) == "ValidationError"
    assert len(elb().describe_listeners(LoadBalancerArn=strict["lb"])["Listeners"]) == 1


@pytest.mark.parametrize(
    "condition",
    [
        {"Field": "path", "Values": ["/a"]},
        {"Field": "path-pattern", "Values": ["/a b"]},
        {"Field": "path-pattern", "Values": []},
        {"Field": "path-pattern", "Values": [f"/{number}" for number in range(6)]},
        {"Field": "path-pattern", "Values": ["/" + "*a" * 6]},
        {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1"]}},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "a b", "Values": ["x"]}},
        {"Field": "http-request-method", "Values": ["GET"]},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}},
    ],
)
def test_a_condition_has_to_be_right(strict: dict[str, Any], listener: str, condition: dict[str, Any]) -> None:
    rule = {"ListenerArn": listener, "Priority": 1, "Conditions": [condition], "Actions": forward(strict)}
    assert code("create_rule", **rule) == "ValidationError"
    assert len(elb().describe_rules(ListenerArn=listener)["Rules"]) == 1


def test_a_priority_is_used_once_and_the_default_rule_stays(strict: dict[str, Any], listener: str) -> None:
    rule = {
        "ListenerArn": listener,
        "Priority": 5,
        "Conditions": [{"Field": "path-pattern", "Values": ["/a"]}],
        "Actions": forward(strict),
    }
    made = elb().create_rule(**rule)["Rules"][0]["RuleArn"]
    assert code("create_rule", **rule) == "PriorityInUse"
    default = elb().describe_rules(ListenerArn=listener)["Rules"][-1]
    assert default["IsDefault"]
    assert code("delete_rule", RuleArn=default["RuleArn"]) == "OperationNotPermitted"
    elb().delete_rule(RuleArn=made)
    assert code("describe_rules", RuleArns=[made]) == "RuleNotFound"


def test_a_target_group_belongs_to_one_load_balancer_and_is_kept_while_in_use(
    strict: dict[str, Any], listener: str
) -> None:
    assert code("delete_target_group", TargetGroupArn=strict["group"]) == "ResourceInUse"
    second = elb().create_load_balancer(Name="second", Subnets=strict["subnets"])["LoadBalancers"][0]["LoadBalancerArn"]
    wanted = {"LoadBalancerArn": second, "Protocol": "HTTP", "Port": 80, "DefaultActions": forward(strict)}
    assert code("create_listener", **wanted) == "TargetGroupAssociationLimit"
    elb().delete_load_balancer(LoadBalancerArn=second)
    assert code("describe_load_balancers", Names=["second"]) == "LoadBalancerNotFound"


def test_targets_have_to_be_right(strict: dict[str, Any]) -> None:
    group = strict["group"]
    assert code("register_targets", TargetGroupArn=group, Targets=[{"Id": "8.8.8.8"}]) == "InvalidTarget"
    assert code("register_targets", TargetGroupArn=group, Targets=[{"Id": "i-1234"}]) == "ValidationError"
    assert code("deregister_targets", TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}]) == "InvalidTarget"
    assert code("describe_target_health", TargetGroupArn=group + "0") == "TargetGroupNotFound"
    assert elb().describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []
    machines = elb().create_target_group(Name="machines", Protocol="HTTP", Port=80, VpcId=strict["vpc"])
    arn = machines["TargetGroups"][0]["TargetGroupArn"]
    missing = [{"Id": "i-0123456789abcdef0"}]
    assert code("register_targets", TargetGroupArn=arn, Targets=missing) == "InvalidTarget"


def test_attributes_are_known_ones(strict: dict[str, Any]) -> None:
    def refused(operation: str, key: str, value: str, **whose: str) -> str:
        return code(operation, Attributes=[{"Key": key, "Value": value}], **whose)

    group, whole = {"TargetGroupArn": strict["group"]}, "InvalidConfigurationRequest"
    change = "modify_target_group_attributes"
    assert refused(change, "deregistration_delay.timeout_seconds", "3601", **group) == whole
    assert refused(change, "slow_start.duration_seconds", "5", **group) == whole
    assert refused(change, "no.such.key", "1", **group) == whole
    balancer = {"LoadBalancerArn": strict["lb"]}
    assert refused("modify_load_balancer_attributes", "idle_timeout.timeout_seconds", "0", **balancer) == whole
    protect = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elb().modify_load_balancer_attributes(Attributes=protect, **balancer)
    assert code("delete_load_balancer", **balancer) == "OperationNotPermitted"
    protect[0]["Value"] = "false"
    elb().modify_load_balancer_attributes(Attributes=protect, **balancer)


def test_tags_are_kept_and_taken_away(strict: dict[str, Any]) -> None:
    elb().add_tags(ResourceArns=[strict["lb"], strict["group"]], Tags=[{"Key": "team", "Value": "red"}])
    found = elb().describe_tags(ResourceArns=[strict["lb"], strict["group"]])["TagDescriptions"]
    assert [one["Tags"] for one in found] == [[{"Key": "team", "Value": "red"}]] * 2
    elb().remove_tags(ResourceArns=[strict["lb"], strict["group"]], TagKeys=["team"])
    assert elb().describe_tags(ResourceArns=[strict["lb"]])["TagDescriptions"][0]["Tags"] == []
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert code("add_tags", ResourceArns=[strict["lb"]], Tags=twice) == "DuplicateTagKeys"


def test_lists_come_in_pages(strict: dict[str, Any]) -> None:
    made = [
        elb().create_target_group(Name=f"page{number}", Protocol="HTTP", Port=80, VpcId=strict["vpc"], TargetType="ip")
        for number in range(3)
    ]
    arns = {one["TargetGroups"][0]["TargetGroupArn"] for one in made}
    first = elb().describe_target_groups(PageSize=2)
    assert len(first["TargetGroups"]) == 2
    listed = elb().get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
    found = [one["TargetGroupArn"] for page in listed for one in page["TargetGroups"]]
    assert arns <= set(found)
    assert len(set(found)) == len(found)
    assert code("describe_target_groups", Marker="nonsense") == "ValidationError"
    for arn in arns:
        elb().delete_target_group(TargetGroupArn=arn)


def test_what_aws_has_fixed_is_told() -> None:
    limits = {one["Name"]: one["Max"] for one in elb().describe_account_limits()["Limits"]}
    assert limits["rules-per-application-load-balancer"] == "100"
    policies = {one["Name"]: one["SslProtocols"] for one in elb().describe_ssl_policies()["SslPolicies"]}
    assert policies["ELBSecurityPolicy-TLS13-1-3-2021-06"] == ["TLSv1.3"]
    assert policies["ELBSecurityPolicy-2016-08"] == ["TLSv1", "TLSv1.1", "TLSv1.2"]
    assert code("describe_ssl_policies", Names=["none"]) == "SSLPolicyNotFound"
