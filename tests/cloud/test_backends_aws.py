"""A real account as the backend, played by a second local AWS: agreed to, tagged, signed anew, cleaned up."""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ASLEEP, free_port, own_place, wait_until

from labs import settings
from labs.cloud import environment, server
from labs.cloud.backends.aws import agreement, clean_up, costs, services, tags
from labs.cloud.backends.aws.signing import Signer
from labs.machine import account, choosing, console

KEY = "AKIAQ7LEARNERSOWNKEY"  # made up, in the shape of a real one
SECRET = "learners/secret+key"
pytestmark = pytest.mark.embedded  # it plays AWS
TAG = {settings.LABEL_KEY: settings.LABEL_VALUE}


@pytest.fixture(scope="module")
def real_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a local AWS that plays real AWS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_BACKEND", raising=False)
        with own_place(tmp_path_factory.mktemp("real")):
            server.ensure_running()
            yield settings.gateway_url()


@pytest.fixture(scope="module")
def learner(real_aws: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A learner with credentials of their own, who has chosen nothing yet."""
    folder = tmp_path_factory.mktemp("learner")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_") or name == "COURSE_BACKEND"]:
            patch.delenv(name)
        (folder / "config").write_text("[profile work]\nregion = us-east-1\n")
        (folder / "credentials").write_text(f"[work]\naws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n")
        patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        patch.setenv("COURSE_DATA", str(folder / "data"))
        patch.setenv("COURSE_PORT", str(free_port()))
        patch.setenv(agreement.STAND_IN_VARIABLE, real_aws)
        try:
            yield folder
        finally:
            server.stop()


@pytest.fixture(scope="module")
def course(learner: Path) -> Iterator[agreement.Agreement]:
    """The course on the account, as a notebook sees it."""
    choosing.choose("aws", profile="work", account=settings.ACCOUNT)
    kept = settings.chosen_backend()
    choosing.choose("aws", profile="work", account=settings.ACCOUNT)
    assert settings.chosen_backend() == kept  # open notebooks go on
    assert server.ensure_running().how == "started"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.variables().items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # another test's has that test's key
        yield agreement.read()


def _of_real(real_aws: str, service: str) -> Any:
    """A client of the account itself, past the course."""
    return boto3.session.Session().client(
        service,
        endpoint_url=real_aws,
        region_name="us-east-1",
        aws_access_key_id="somebody",
        aws_secret_access_key="else",
    )


def _refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Message"]


# --- choosing -------------------------------------------------------------------------------------------------


def test_the_choice_is_shown_first_and_made_by_the_accounts_number(
    learner: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_DATA", str(learner / "other"))
    for given in (None, "", "111122223333", "yes"):  # None: nobody is there to be asked
        with pytest.raises(console.Trouble, match="Not agreed"):
            choosing.choose("aws", profile="work", account=given)
        assert settings.backend() == "embedded"
        assert not settings.chosen_backend_file().exists()
    shown = capsys.readouterr().out
    assert f"Account  {settings.ACCOUNT}" in shown
    assert "Region   us-east-1" in shown
    assert "ecs_service      at most $" in shown
    assert "an hour" in shown


def test_the_courses_own_terminal_cannot_choose(course: agreement.Agreement) -> None:
    with pytest.raises(console.Trouble, match="in a terminal of your own"):
        choosing.choose("aws", account=settings.ACCOUNT)


def test_no_secret_is_kept_and_nothing_of_the_environment_chooses(course: agreement.Agreement, learner: Path) -> None:
    assert course.account == settings.ACCOUNT
    assert server.health()["backend"] == "aws"
    for path in (learner / "data").rglob("*"):
        if path.is_file():
            assert SECRET not in path.read_text("utf-8", "replace"), path
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", str(learner / "nothing-chosen"))
        patch.setenv("COURSE_PORT", str(free_port()))
        patch.setenv("COURSE_BACKEND", "aws")
        with pytest.raises(server.CloudError, match="No real AWS account was agreed to"):
            server.ensure_running()


def test_another_account_than_agreed_is_not_used(course: agreement.Agreement) -> None:
    kept = settings.chosen_backend_file().read_text()
    server.stop()
    settings.chosen_backend_file().write_text(kept.replace(settings.ACCOUNT, "111122223333"))
    try:
        with pytest.raises(server.CloudError, match=f"now of account {settings.ACCOUNT}, and you agreed to 1111"):
            server.ensure_running()
    finally:
        settings.chosen_backend_file().write_text(kept)
    # As a kernel does it: its environment has nothing of the learner's.
    assert server.ensure_running().how == "started"


def test_another_users_program_gets_nothing(course: agreement.Agreement) -> None:
    """It can reach the port, and does not know the key, which is in a file of this user alone."""
    for key in (environment.THROW_AWAY_KEY, KEY, ""):
        stranger = boto3.client("sqs", aws_access_key_id=key or "x", aws_secret_access_key="y")
        assert "This key may not use the real account" in _refusal(stranger.list_queues)
    assert settings.chosen_backend_file().stat().st_mode & 0o077 == 0
    connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/", "Action=ListUsers&Version=2010-05-08")
        assert connection.getresponse().status == 403


def test_only_this_machine_may_play_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(agreement.STAND_IN_VARIABLE, "https://sts.amazonaws.example")
    with pytest.raises(Exception, match="only a server on this machine"):
        agreement.stand_in()


def test_the_environment_variable_alone_opens_nothing() -> None:
    """The guard of a notebook stays shut; so does that of every other Python."""
    code = (
        "from labs.cloud import guard; guard.install()\n"
        "import socket\n"
        "try: socket.getaddrinfo('sts.us-east-1.amazonaws.com', 443)\n"
        "except guard.RealAwsRefused as refusal: print('refused')\n"
    )
    env = {**os.environ, "COURSE_BACKEND": "aws", "PYTHONPATH": str(settings.ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


# --- requests -------------------------------------------------------------------------------------------------


def test_what_is_made_is_there_and_carries_the_tags(course: agreement.Agreement, real_aws: str) -> None:
    """One operation of each protocol, with tags of the learner's own among them; seen in the account itself."""
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="tagged", tags=[{"key": "mine", "value": "yes"}])
    found = _of_real(real_aws, "ecs").describe_clusters(clusters=["tagged"], include=["TAGS"])["clusters"][0]["tags"]
    assert {one["key"]: one["value"] for one in found} == {"mine": "yes", **tags.ours()}

    vpc = boto3.client("ec2").create_vpc(
        CidrBlock="10.7.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "course"}]}],
    )["Vpc"]["VpcId"]
    found = _of_real(real_aws, "ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]
    assert {one["Key"]: one["Value"] for one in found} == {"Name": "course", **tags.ours()}

    group = boto3.client("elbv2").create_target_group(
        Name="tagged", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", Tags=[{"Key": "mine", "Value": "1"}]
    )["TargetGroups"][0]["TargetGroupArn"]
    found = _of_real(real_aws, "elbv2").describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"]
    assert {one["Key"]: one["Value"] for one in found} == {"mine": "1", **tags.ours()}

    url = boto3.client("sqs").create_queue(QueueName="tagged", tags={"mine": "1"})["QueueUrl"]
    assert _of_real(real_aws, "sqs").list_queue_tags(QueueUrl=url)["Tags"] == {"mine": "1", **tags.ours()}

    boto3.client("efs").create_file_system(CreationToken="tagged")
    found = _of_real(real_aws, "efs").describe_file_systems(CreationToken="tagged")["FileSystems"][0]["Tags"]
    assert {one["Key"]: one["Value"] for one in found} == tags.ours()


def test_the_cli_goes_the_same_way(course: agreement.Agreement, real_aws: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "awscli", "logs", "create-log-group", "--log-group-name", "/tagged"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = _of_real(real_aws, "logs").list_tags_log_group(logGroupName="/tagged")["tags"]
    assert found == tags.ours()


def test_what_cannot_be_found_again_is_not_made(course: agreement.Agreement, real_aws: str) -> None:
    scheduler = boto3.client("scheduler")
    role = f"arn:aws:iam::{settings.ACCOUNT}:role/any"
    schedule = {
        "Name": "untagged",
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": f"arn:aws:sqs:us-east-1:{settings.ACCOUNT}:any", "RoleArn": role},
    }
    assert "into a schedule group" in _refusal(lambda: scheduler.create_schedule(**schedule))
    assert "Nothing was sent to AWS" in _refusal(lambda: boto3.client("iam").create_access_key(UserName="any"))
    assert "carries no tag" in _refusal(
        lambda: boto3.client("events").create_archive(ArchiveName="a", EventSourceArn=role)
    )
    ec2 = boto3.client("ec2")
    assert "makes nothing with" in _refusal(lambda: ec2.create_vpn_connection(CustomerGatewayId="c", Type="ipsec.1"))
    assert "has no service 's3'" in _refusal(lambda: boto3.client("s3").create_bucket(Bucket="any"))
    assert "You agreed to the region us-east-1" in _refusal(
        lambda: boto3.client("ecs", region_name="eu-west-1").create_cluster(clusterName="far")
    )
    assert _of_real(real_aws, "scheduler").list_schedules()["Schedules"] == []


def test_every_operation_is_judged() -> None:
    """Of the services that pass, nothing is made that is neither tagged nor known to go with its parent."""
    for name in services.SERVICES:
        model = services.model(name)
        for operation in map(model.operation_model, model.operation_names):
            verdict = services.judge(name, operation)
            if operation.name.startswith(("Create", "Run", "Allocate", "Purchase", "Import", "Copy", "Request")):
                with_parent = operation.name in services.WITH_ITS_PARENT.get(name, ())
                assert verdict.refusal or verdict.tags or with_parent, f"{name} {operation.name}"
            if verdict.tags and "TagSpecifications" not in verdict.tags:
                shape = operation.input_shape.members[verdict.tags]
                assert shape.type_name == "map" or tags.key_and_value(shape), f"{name} {operation.name}"


def test_requests_go_where_boto3_would_send_them() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL", agreement.STAND_IN_VARIABLE):
            patch.delenv(name, raising=False)
        signer = Signer(agreement.Agreement(settings.ACCOUNT, "eu-central-1"))
        for name, boto_name in services.SERVICES.items():
            client = boto3.session.Session().client(boto_name, region_name="eu-central-1")
            assert signer.endpoint(name).url == client.meta.endpoint_url
            assert signer.endpoint(name).region == ("us-east-1" if name == "iam" else "eu-central-1")


def test_a_load_balancer_answers_through_the_gateway_too(course: agreement.Agreement) -> None:
    """As a chapter asks: at the gateway, with the load balancer's name."""
    elb = boto3.client("elbv2")
    subnets = [one["SubnetId"] for one in boto3.client("ec2").describe_subnets()["Subnets"][:2]]
    balancer = elb.create_load_balancer(Name="asked", Subnets=subnets)["LoadBalancers"][0]
    for port in (80, 8080):
        fixed = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": f"from {port}"}
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
        )

    def ask(host: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", settings.gateway_port(), timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/a?b=c", headers={"Host": host})
            return connection.getresponse().read().decode()

    wait_until(lambda: ask(balancer["DNSName"]) == "from 80", 60)
    assert ask(f"8080.{balancer['DNSName']}") == "from 8080"
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])


def test_notebooks_speak_to_the_region_that_was_agreed_to(
    course: agreement.Agreement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert environment.variables()["AWS_DEFAULT_REGION"] == settings.REGION
    choice = course._replace(region="eu-central-1").as_choice()
    settings.chosen_backend_file().write_text(json.dumps(choice))
    assert environment.variables()["AWS_REGION"] == environment.variables()["AWS_DEFAULT_REGION"] == "eu-central-1"


# --- signing --------------------------------------------------------------------------------------------------


class Verifier(BaseHTTPRequestHandler):
    """Answers GetCallerIdentity, and keeps of each request whether its signature is that of the learner's secret."""

    seen: ClassVar[list[tuple[bool, str, dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((_is_signed(self.command, self.path, headers, body), self.path, headers, body))
        answer = (
            b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            b"<Arn>arn:aws:iam::111122223333:user/learner</Arn><UserId>A</UserId><Account>111122223333</Account>"
            b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
            if b"GetCallerIdentity" in body
            else b"{}"
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _is_signed(method: str, target: str, headers: dict[str, str], body: bytes) -> bool:
    """Works a signature out as AWS does. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
    scheme, _, rest = headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    key, day, region, service, end = parts["Credential"].split("/")
    names = parts["SignedHeaders"].split(";")
    path, _, query = target.partition("?")
    lines = [method, quote(path, safe="/~"), "&".join(sorted(query.split("&")))]
    lines += [f"{name}:{headers[name].strip()}" for name in names]
    lines += ["", parts["SignedHeaders"], hashlib.sha256(body).hexdigest()]
    scope = f"{day}/{region}/{service}/{end}"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"{scheme}\n{headers['x-amz-date']}\n{scope}\n{digest}"
    secret = f"AWS4{SECRET}".encode()
    for part in (day, region, service, end):
        secret = hmac.new(secret, part.encode(), "sha256").digest()
    wanted = hmac.new(secret, text.encode(), "sha256").hexdigest()
    return key == KEY and "host" in names and hmac.compare_digest(wanted, parts["Signature"])


def test_requests_are_signed_with_the_learners_key_as_aws_checks_it(tmp_path: Path) -> None:
    """In each protocol, and with nothing of the throw-away key in them."""
    Verifier.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Verifier) as listener, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("COURSE_DATA", str(tmp_path / "data"))
        patch.setenv("COURSE_PORT", str(free_port()))
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv(agreement.STAND_IN_VARIABLE, f"http://127.0.0.1:{listener.server_address[1]}")
        choosing.choose("aws", region="eu-central-1", account="111122223333")
        try:
            server.ensure_running()
            environment.apply()
            fresh = boto3.session.Session()  # boto3's own one keeps the key of earlier tests
            fresh.client("ecs").create_cluster(clusterName="signed")
            fresh.client("sts").get_caller_identity()
            fresh.client("eks").tag_resource(resourceArn="arn:aws:eks:eu-central-1:1:cluster/a b", tags={"a": "ü"})
        finally:
            server.stop()
            listener.shutdown()
    assert len(Verifier.seen) == 5  # choosing and starting ask whose credentials they are
    for signed, path, headers, body in Verifier.seen:
        assert signed, (path, headers)
        assert f"Credential={KEY}/" in headers["authorization"]
        assert b"AWS4" not in body
    made = {one["key"]: one["value"] for one in json.loads(Verifier.seen[2][3])["tags"]}
    assert made.keys() == tags.ours().keys()
    assert made.items() >= TAG.items()


# --- cleaning up ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_clean_up_removes_ours_alone_and_proves_it(
    course: agreement.Agreement, real_aws: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ecs, ec2, elb, iam = (boto3.client(name) for name in ("ecs", "ec2", "elbv2", "iam"))
    theirs = _of_real(real_aws, "sqs").create_queue(QueueName="production", tags={"course": "another"})["QueueUrl"]
    other = _of_real(real_aws, "sqs").create_queue(QueueName="colleague", tags={**TAG, "course.gateway": "elsewhere"})
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    web = ec2.create_security_group(GroupName="clean", Description="any", VpcId=vpc)["GroupId"]
    itself = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": web}]}
    ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[itself])
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName="clean", AssumeRolePolicyDocument=json.dumps(trust))
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="clean", PolicyName="inline", PolicyDocument=json.dumps(allow))
    balancer = elb.create_load_balancer(Name="clean", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(Name="clean", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    group = group["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    ecs.create_cluster(clusterName="clean")
    container = {"name": "main", "image": settings.BASE_IMAGE, "command": ASLEEP}
    ecs.register_task_definition(
        family="clean",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [web]}}
    ecs.create_service(
        cluster="clean",
        serviceName="clean",
        taskDefinition="clean",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=network,
    )
    wait_until(lambda: ecs.list_tasks(cluster="clean")["taskArns"], 60)
    task = ecs.describe_tasks(cluster="clean", tasks=ecs.list_tasks(cluster="clean")["taskArns"], include=["TAGS"])
    assert TAG.items() <= {one["key"]: one["value"] for one in task["tasks"][0]["tags"]}.items()

    with pytest.raises(console.Trouble, match="Nothing was removed"):
        account.clean_up("111122223333")
    assert ecs.list_services(cluster="clean")["serviceArns"]

    assert account.clean_up(settings.ACCOUNT) == 0
    said = capsys.readouterr().out
    assert "Nothing with the tags of this course is left" in said
    assert "1 more carry the course's tag and belong to another data folder" in said
    assert clean_up.look(course).ours == []
    real = _of_real(real_aws, "ecs")
    assert real.list_clusters()["clusterArns"] == []
    assert real.list_task_definitions(status="ACTIVE")["taskDefinitionArns"] == []
    assert _of_real(real_aws, "elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert "clean" not in [one["RoleName"] for one in _of_real(real_aws, "iam").list_roles()["Roles"]]
    groups = _of_real(real_aws, "ec2").describe_security_groups()["SecurityGroups"]
    assert "clean" not in [one["GroupName"] for one in groups]
    kept = _of_real(real_aws, "sqs").list_queues()["QueueUrls"]
    assert {url.rpartition("/")[2] for url in kept} == {"production", "colleague"}
    assert theirs and other


def test_what_no_list_shows_is_named_by_its_arn() -> None:
    prefix = "arn:aws"
    own = f"us-east-1:{settings.ACCOUNT}"
    for arn in (
        f"{prefix}:ecs:{own}:service/cluster/name",
        f"{prefix}:elasticloadbalancing:{own}:loadbalancer/app/name/1",
        f"{prefix}:logs:{own}:log-group:/ecs/name",
        f"{prefix}:sqs:{own}:name",
        f"{prefix}:iam::{settings.ACCOUNT}:role/name",
        f"{prefix}:autoscaling:{own}:autoScalingGroup:1:autoScalingGroupName/name",
    ):
        assert clean_up.is_listed(arn), arn
    for arn in (
        f"{prefix}:rds:{own}:db:name",
        f"{prefix}:apprunner:{own}:vpcconnector/name/1",
        f"{prefix}:s3:::bucket",
    ):
        assert not clean_up.is_listed(arn), arn


def test_the_bound_of_a_chapter_is_its_prices_added_up() -> None:
    assert costs.of_chapter("start_here") == 0
    assert costs.of_chapter("eks") is None
    per_task = 0.25 * 0.04048 + 0.5 * 0.004445 + 0.005
    assert costs.of_chapter("ecs_service") == pytest.approx(24 * per_task + 3 * (0.0225 + 0.008 + 0.01))
    for item in costs.PRICES.values():
        assert item.source.startswith("https://")
        assert len(item.day) == len("2026-01-01")
