"""Express Mode through the front door: one call, and every piece is there, can be seen, and goes again.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/express-service-work.html
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import wait_until

from labs import settings
from labs.cloud import server
from labs.cloud.load_balancing import certificates

pytestmark = pytest.mark.usefixtures("local_aws")

# Answers with its version; with the version `broken` it answers 500, except to the health check.
WEB = r"""
use IO::Socket::INET; $| = 1; $SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 64, ReuseAddr => 1) or die;
print "version $ENV{VERSION} is up\n";
while (my $client = $server->accept) {
    my ($path) = (scalar(<$client>) // "") =~ m{^\S+ (\S+)};
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my $body = $ENV{VERSION};
    my $status = $body eq "broken" && $path ne "/ping" ? 500 : 200;
    print $client "HTTP/1.1 $status X\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
"""
SIZE = {"minTaskCount": 1, "maxTaskCount": 3}


def ecs() -> Any:
    return boto3.client("ecs")


def container(version: str, **more: Any) -> dict[str, Any]:
    return {
        "image": settings.BASE_IMAGE,
        "containerPort": 8080,
        "command": ["perl", "-e", WEB],
        "environment": [{"name": "VERSION", "value": version}],
        **more,
    }


@pytest.fixture(scope="module")
def roles(local_aws: Path) -> dict[str, str]:
    iam = boto3.client("iam")
    made = {}
    for name, who in (("ecsTaskExecutionRole", "ecs-tasks"), ("ecsInfrastructureRoleForExpressServices", "ecs")):
        trust = {"Effect": "Allow", "Principal": {"Service": f"{who}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]
        allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        iam.put_role_policy(
            RoleName=name,
            PolicyName="all",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        )
        made[who] = role["Arn"]
    return {"executionRoleArn": made["ecs-tasks"], "infrastructureRoleArn": made["ecs"]}


def create(roles: dict[str, str], version: str = "one", **more: Any) -> dict[str, Any]:
    wanted = {**roles, "primaryContainer": container(version), "scalingTarget": SIZE, **more}
    return ecs().create_express_gateway_service(**wanted)["service"]


def express(arn: str, **more: Any) -> dict[str, Any]:
    return ecs().describe_express_gateway_service(serviceArn=arn, **more)["service"]


def endpoint(arn: str) -> str:
    return express(arn)["activeConfigurations"][0]["ingressPaths"][0]["endpoint"]


def ask(arn: str) -> str:
    """What the service says at its endpoint, with its certificate checked; empty if nothing can be had."""
    place = urlsplit(endpoint(arn))
    if not place.port:
        return ""
    context = ssl.create_default_context(cafile=str(certificates.authority()))
    try:
        with (
            socket.create_connection((settings.GATEWAY_HOST, place.port), 10) as plain,
            context.wrap_socket(plain, server_hostname=place.hostname) as sock,
        ):
            sock.sendall(f"GET / HTTP/1.0\r\nHost: {place.hostname}\r\n\r\n".encode())
            text = b""
            while chunk := sock.recv(65536):
                text += chunk
    except OSError:
        return ""
    head, _, body = text.decode().partition("\r\n\r\n")
    return f"{head.split()[1]} {body}"


def service_of(arn: str) -> dict[str, Any]:
    cluster, name = arn.split("/")[1:]
    return ecs().describe_services(cluster=cluster, services=[name])["services"][0]


def is_done(arn: str) -> bool:
    found = ecs().describe_services(cluster="default", services=[arn.rpartition("/")[2]])["services"]
    return bool(found) and [one["rolloutState"] for one in found[0]["deployments"]] == ["COMPLETED"]


def remove(arn: str) -> None:
    with contextlib.suppress(ClientError):
        ecs().delete_express_gateway_service(serviceArn=arn)
    wait_until(lambda: express(arn)["status"]["statusCode"] == "INACTIVE", 90)


@pytest.fixture(scope="module")
def shop(roles: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A running Express service."""
    made = create(roles, serviceName="shop", tags=[{"key": "team", "value": "a"}])
    assert made["status"]["statusCode"] == "ACTIVE"
    wait_until(lambda: ask(made["serviceArn"]) == "200 one", 120)
    wait_until(lambda: is_done(made["serviceArn"]), 60)
    yield made
    remove(made["serviceArn"])


def test_it_answers_by_https_under_its_own_name(shop: dict[str, Any]) -> None:
    place = urlsplit(endpoint(shop["serviceArn"]))
    assert place.scheme == "https"
    assert place.hostname.startswith("shop-")
    assert place.hostname.endswith(f".ecs.{settings.REGION}.on.localhost")
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, settings.gateway_port(), timeout=10)
    with contextlib.closing(connection):  # the gateway knows the name and leads to the same place
        connection.request("GET", "/x", headers={"Host": place.hostname})
        answer = connection.getresponse()
        answer.read()
    assert answer.status == 307
    assert answer.headers["Location"] == f"https://{place.netloc}/x"


def test_every_piece_can_be_seen(shop: dict[str, Any], roles: dict[str, str]) -> None:
    arn, elb = shop["serviceArn"], boto3.client("elbv2")
    service = service_of(arn)
    assert service["deploymentConfiguration"]["strategy"] == "CANARY"
    assert service["deploymentConfiguration"]["canaryConfiguration"]["canaryPercent"] == 5.0
    assert service["healthCheckGracePeriodSeconds"] == 300
    definition = ecs().describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    assert [one["name"] for one in definition["containerDefinitions"]] == ["Main"]
    assert (definition["cpu"], definition["memory"]) == ("256", "512")
    cluster = ecs().describe_clusters(clusters=["default"])["clusters"][0]
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    rule = service["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]
    listener = rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]
    told = elb.describe_listeners(ListenerArns=[listener])["Listeners"][0]
    assert (told["Port"], told["Protocol"]) == (443, "HTTPS")
    host = elb.describe_rules(RuleArns=[rule])["Rules"][0]["Conditions"][0]["Values"][0]
    assert host == urlsplit(endpoint(arn)).hostname
    group = elb.describe_target_groups(TargetGroupArns=[service["loadBalancers"][0]["targetGroupArn"]])["TargetGroups"]
    assert (group[0]["TargetType"], group[0]["HealthCheckPath"]) == ("ip", "/ping")
    names = [one["DomainName"] for one in boto3.client("acm").list_certificates()["CertificateSummaryList"]]
    assert host in names
    alarms = service["deploymentConfiguration"]["alarms"]["alarmNames"]
    assert boto3.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"]
    scaling = boto3.client("application-autoscaling")
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=["service/default/shop"])
    assert [(one["MinCapacity"], one["MaxCapacity"]) for one in target["ScalableTargets"]] == [(1, 3)]
    policy = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId="service/default/shop")
    tracked = policy["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["PredefinedMetricSpecification"]["PredefinedMetricType"] == "ECSServiceAverageCPUUtilization"
    assert tracked["TargetValue"] == 60.0
    options = definition["containerDefinitions"][0]["logConfiguration"]["options"]
    logs = boto3.client("logs")
    wait_until(lambda: logs.filter_log_events(logGroupName=options["awslogs-group"])["events"])
    revision = ecs().describe_service_revisions(serviceRevisionArns=[service["currentServiceRevisions"][0]["arn"]])
    managed = revision["serviceRevisions"][0]["ecsManagedResources"]
    path = managed["ingressPaths"][0]
    assert (path["certificate"]["domainName"], path["rule"]["arn"]) == (host, rule)
    assert managed["autoScaling"]["scalableTarget"]["maxCapacity"] == 3
    assert service["resourceManagementType"] == "ECS"
    with pytest.raises(ClientError, match="cannot be changed"):
        ecs().update_service(service="shop", deploymentConfiguration={"strategy": "ROLLING"})
    groups = service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    assert len(boto3.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]) == 1


def test_describe_tells_the_configuration(shop: dict[str, Any], roles: dict[str, str]) -> None:
    told = express(shop["serviceArn"], include=["TAGS"])
    assert told["tags"] == [{"key": "team", "value": "a"}]
    assert "tags" not in express(shop["serviceArn"])
    found = told["activeConfigurations"]
    assert len(found) == 1
    assert found[0]["primaryContainer"]["image"] == settings.BASE_IMAGE
    assert found[0]["executionRoleArn"] == roles["executionRoleArn"]
    assert found[0]["scalingTarget"] == {
        **SIZE, "autoScalingMetric": "AVERAGE_CPU", "autoScalingTargetValue": 60,
    }  # fmt: skip
    assert found[0]["serviceRevisionArn"] == service_of(shop["serviceArn"])["currentServiceRevisions"][0]["arn"]
    assert found[0]["ingressPaths"][0]["accessType"] == "PUBLIC"
    with pytest.raises(ClientError) as caught:
        express(shop["serviceArn"] + "x")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_update_is_a_canary_and_a_second_service_shares_the_load_balancer(
    shop: dict[str, Any], roles: dict[str, str]
) -> None:
    arn = shop["serviceArn"]
    second = create(roles, "blog", serviceName="blog")["serviceArn"]
    answer = ecs().update_express_gateway_service(
        serviceArn=arn, primaryContainer=container("two"), scalingTarget={"maxTaskCount": 5}
    )["service"]
    assert answer["targetConfiguration"]["scalingTarget"]["maxTaskCount"] == 5
    rule = service_of(arn)["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]

    def weights() -> set[int]:
        action = boto3.client("elbv2").describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]
        return {one["Weight"] for one in action["ForwardConfig"]["TargetGroups"]}

    wait_until(lambda: weights() == {5, 95}, 60)
    told = express(arn)
    assert told["currentDeployment"] == service_of(arn)["currentServiceDeployment"]
    assert len(told["activeConfigurations"]) == 2
    wait_until(lambda: is_done(arn), 90)
    assert ask(arn) == "200 two"
    wait_until(lambda: ask(second) == "200 blog", 60)
    assert urlsplit(endpoint(second)).port == urlsplit(endpoint(arn)).port
    balancers = boto3.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert len([one for one in balancers if one["LoadBalancerName"].startswith("ecs-express")]) == 1
    remove(second)
    assert ask(arn) == "200 two"


def test_errors_of_the_new_version_bring_the_old_one_back(shop: dict[str, Any]) -> None:
    arn = shop["serviceArn"]
    before = ask(arn)
    ecs().update_express_gateway_service(serviceArn=arn, primaryContainer=container("broken"))
    wait_until(lambda: len(service_of(arn)["deployments"]) == 2, 30)
    deployment = service_of(arn)["currentServiceDeployment"]

    def told() -> dict[str, Any]:
        return ecs().describe_service_deployments(serviceDeploymentArns=[deployment])["serviceDeployments"][0]

    def is_back() -> bool:
        ask(arn)
        return told()["status"] == "ROLLBACK_SUCCESSFUL"

    wait_until(is_back, 120)
    assert told()["alarms"]["status"] == "TRIGGERED"
    assert {ask(arn) for _ in range(20)} == {before}


def test_delete_removes_what_it_made_and_keeps_the_logs(roles: dict[str, str], shop: dict[str, Any]) -> None:
    arn = create(roles, serviceName=f"gone-{uuid.uuid4().hex[:4]}")["serviceArn"]
    wait_until(lambda: is_done(arn), 120)
    service = service_of(arn)
    definition = ecs().describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    host = urlsplit(endpoint(arn)).hostname
    answer = ecs().delete_express_gateway_service(serviceArn=arn)["service"]
    assert answer["status"]["statusCode"] == "DRAINING"
    with pytest.raises(ClientError) as caught:
        ecs().update_express_gateway_service(serviceArn=arn, healthCheckPath="/x")
    assert caught.value.response["Error"]["Code"] == "ServiceNotActiveException"
    wait_until(lambda: express(arn)["status"]["statusCode"] == "INACTIVE", 90)
    elb = boto3.client("elbv2")
    with pytest.raises(ClientError):
        elb.describe_target_groups(TargetGroupArns=[service["loadBalancers"][0]["targetGroupArn"]])
    with pytest.raises(ClientError):
        elb.describe_rules(RuleArns=[service["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]])
    names = [one["DomainName"] for one in boto3.client("acm").list_certificates()["CertificateSummaryList"]]
    assert host not in names
    groups = service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    with pytest.raises(ClientError):
        boto3.client("ec2").describe_security_groups(GroupIds=groups)
    name = definition["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-group"]
    assert boto3.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    scaling = boto3.client("application-autoscaling")
    resource = f"service/default/{service['serviceName']}"
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"] == []


def test_a_service_can_be_deleted_while_it_is_being_made(roles: dict[str, str], shop: dict[str, Any]) -> None:
    arn = create(roles, serviceName="short")["serviceArn"]
    ecs().delete_express_gateway_service(serviceArn=arn)
    wait_until(lambda: express(arn)["status"]["statusCode"] == "INACTIVE", 60)
    again = create(roles, serviceName="short")["serviceArn"]
    assert again == arn
    wait_until(lambda: ask(arn) == "200 one", 90)
    remove(arn)


def test_a_kill_right_after_the_call_loses_nothing(roles: dict[str, str], shop: dict[str, Any]) -> None:
    arn = create(roles, serviceName="kept", primaryContainer=container("kept"))["serviceArn"]
    os.kill(server.health()["pid"], signal.SIGKILL)
    assert server.ensure_running().how == "recovered"
    wait_until(lambda: ask(arn) == "200 kept", 120)
    wait_until(lambda: ask(shop["serviceArn"]).startswith("200 "), 30)
    remove(arn)
    names = [one["DomainName"] for one in boto3.client("acm").list_certificates()["CertificateSummaryList"]]
    assert not [name for name in names if name.startswith("kept-")]


def test_a_task_definition_of_ones_own(roles: dict[str, str]) -> None:
    main = {
        "name": "Main",
        "image": settings.BASE_IMAGE,
        "command": ["perl", "-e", WEB],
        "environment": [{"name": "VERSION", "value": "own"}],
        "portMappings": [{"containerPort": 8080, "name": "web", "protocol": "tcp"}],
    }
    settled = {
        "family": "own", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
    }  # fmt: skip
    good = ecs().register_task_definition(**settled, containerDefinitions=[main])["taskDefinition"]["taskDefinitionArn"]
    other = [{**main, "name": "web"}]
    bad = ecs().register_task_definition(**settled, containerDefinitions=other)["taskDefinition"]["taskDefinitionArn"]
    infrastructure = {"infrastructureRoleArn": roles["infrastructureRoleArn"]}
    for wrong in ({"taskDefinitionArn": bad}, {"taskDefinitionArn": good, "cpu": "256"}):
        with pytest.raises(ClientError) as caught:
            ecs().create_express_gateway_service(**infrastructure, **wrong)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    arn = ecs().create_express_gateway_service(**infrastructure, taskDefinitionArn=good)["service"]["serviceArn"]
    wait_until(lambda: ask(arn) == "200 own", 120)
    assert "primaryContainer" not in express(arn)["activeConfigurations"][0]
    remove(arn)


def test_what_cannot_be_is_refused_and_makes_nothing(roles: dict[str, str], shop: dict[str, Any]) -> None:
    def code(**more: Any) -> str:
        wanted = {**roles, "serviceName": "never", "primaryContainer": container("x"), **more}
        with pytest.raises(ClientError) as caught:
            ecs().create_express_gateway_service(**{key: value for key, value in wanted.items() if value})
        return caught.value.response["Error"]["Code"]

    invalid = "InvalidParameterException"
    assert code(executionRoleArn=None) == invalid
    assert code(primaryContainer=None) == invalid
    assert code(infrastructureRoleArn=roles["executionRoleArn"]) == invalid
    assert code(executionRoleArn=roles["executionRoleArn"] + "x") == invalid
    assert code(healthCheckPath="ping") == invalid
    assert code(scalingTarget={"minTaskCount": 3, "maxTaskCount": 2}) == invalid
    assert code(networkConfiguration={"subnets": ["subnet-0"]}) == invalid
    assert code(serviceName="shop") == invalid
    assert code(cluster="nowhere") == "ClusterNotFoundException"
    assert not [one for one in ecs().list_services(cluster="default")["serviceArns"] if "never" in one]
