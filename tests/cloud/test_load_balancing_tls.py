"""HTTPS and TLS listeners through the front door: certificates of ACM, SNI, policies, redirects, targets by TLS."""

import contextlib
import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import docker
import pytest
from botocore.exceptions import ClientError
from cloud_lab import ours, wait_until

from labs import settings
from labs.cloud.engine import network, proxy
from labs.cloud.load_balancing import certificates, container

pytestmark = pytest.mark.usefixtures("local_aws")

# A target that speaks TLS with a certificate of its own, which nobody knows.
SECURE_TARGET = (
    "cd /tmp && openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 1 -subj /CN=nobody 2>/dev/null && "
    "exec openssl s_server -accept 8443 -key k -cert c -WWW -quiet"
)


def elb() -> Any:
    return boto3.client("elbv2")


def acm() -> Any:
    return boto3.client("acm")


def refused(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def subnets(local_aws: Path) -> list[str]:
    found = boto3.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return [one["SubnetId"] for one in found[:2]]


@pytest.fixture(scope="module")
def vpc(subnets: list[str]) -> dict[str, Any]:
    return boto3.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]


@pytest.fixture(scope="module")
def balancer(subnets: list[str]) -> dict[str, Any]:
    return elb().create_load_balancer(Name="secure", Subnets=subnets)["LoadBalancers"][0]


def requested(*names: str) -> str:
    first, *more = names
    other = {"SubjectAlternativeNames": more} if more else {}
    arn = acm().request_certificate(DomainName=first, ValidationMethod="DNS", **other)["CertificateArn"]
    acm().get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"Delay": 1})
    return arn


def says(text: str) -> list[dict[str, Any]]:
    answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": text}
    return [{"Type": "fixed-response", "FixedResponseConfig": answer}]


def fetch(name: str, path: str = "/", method: str = "GET") -> http.client.HTTPResponse:
    """A request through the gateway."""
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, settings.gateway_port(), timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Host": name})
        response = connection.getresponse()
        response.text = response.read().decode()
        return response


def door(balancer: dict[str, Any], port: int) -> int:
    """The port on this machine where an HTTPS listener answers, as the gateway tells it."""
    found: list[str] = []

    def told() -> bool:
        found.append(fetch(f"{port}.{balancer['DNSName']}").headers.get("Location", ""))
        return found[-1].startswith("https://")

    wait_until(told, 60)
    return int(re.fullmatch(r"https://[^:/]+:(\d+)/", found[-1])[1])


def connect(port: int, name: str, **how: Any) -> ssl.SSLSocket:
    """A TLS connection to a port on this machine that trusts our authority alone."""
    context = ssl.create_default_context(cafile=str(certificates.authority()))
    if "alpn" in how:
        context.set_alpn_protocols(how["alpn"])
    if "most" in how:
        context.maximum_version = how["most"]
    if not how.get("trust", True):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection((settings.GATEWAY_HOST, port), 20)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except OSError:
        plain.close()
        raise


def get(port: int, name: str, path: str = "/", **how: Any) -> tuple[str, str]:
    """What an HTTPS listener says: (status line, body)."""
    with connect(port, name, **how) as sock:
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        whole = b""
        while chunk := sock.recv(65536):
            whole += chunk
    head, _, body = whole.decode().partition("\r\n\r\n")
    return head.partition("\r\n")[0], body


def shows(port: int, name: str, text: str) -> bool:
    try:
        return text in get(port, name)[1]
    except OSError:
        return False


@pytest.fixture(scope="module")
def listener(balancer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An HTTPS listener on 443 with a certificate for shop.example and *.shop.example."""
    arn = requested("shop.example", "*.shop.example")
    yield elb().create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        DefaultActions=says("by https"),
    )["Listeners"][0]


def test_a_requested_certificate_serves_https_under_its_names(
    balancer: dict[str, Any], listener: dict[str, Any]
) -> None:
    port = door(balancer, 443)
    wait_until(lambda: shows(port, "shop.example", "by https"))
    assert get(port, "a.shop.example")[0].endswith("200 OK")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(port, "other.example")
    with connect(port, "shop.example", alpn=["h2", "http/1.1"]) as sock:
        assert sock.selected_alpn_protocol() == "h2"


def test_the_listener_tells_its_certificate_and_policy(listener: dict[str, Any]) -> None:
    arn = listener["Certificates"][0]["CertificateArn"]
    told = elb().describe_listeners(ListenerArns=[listener["ListenerArn"]])["Listeners"][0]
    assert told["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert told["Certificates"] == [{"CertificateArn": arn}]
    found = elb().describe_listener_certificates(ListenerArn=listener["ListenerArn"])["Certificates"]
    assert {"CertificateArn": arn, "IsDefault": True} in found
    assert acm().describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == [told["LoadBalancerArn"]]
    assert refused(acm().delete_certificate, CertificateArn=arn) == "ResourceInUseException"
    shown = acm().get_certificate(CertificateArn=arn)
    assert ssl.PEM_cert_to_DER_cert(shown["Certificate"])
    assert shown["CertificateChain"].strip() == certificates.authority().read_text().strip()


def test_private_keys_are_this_users_alone_and_in_no_log(balancer: dict[str, Any], listener: dict[str, Any]) -> None:
    door(balancer, 443)
    folders = [settings.data_dir() / "cloud" / "tls", container.folder(balancer["LoadBalancerArn"])]
    keys = [file for folder in folders for file in folder.glob("*.pem") if "PRIVATE KEY" in file.read_text()]
    assert len(keys) >= 3  # the authority's, and the certificate's in both places
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys)
    secret = next(line for line in keys[0].read_text().splitlines() if not line.startswith("-"))
    logs = [file for file in settings.data_dir().rglob("*.log") if secret in file.read_text(errors="replace")]
    assert logs == []
    for name in ours():
        one = docker.from_env().containers.get(name)
        assert secret.encode() not in one.logs()
        assert secret not in json.dumps(one.attrs)


def test_the_published_port_is_on_loopback(balancer: dict[str, Any], listener: dict[str, Any]) -> None:
    port = door(balancer, 443)
    found = [docker.from_env().containers.get(name).ports for name in ours(container.ROLE)]
    bound = [one for ports in found for one in ports.get("443/tcp") or []]
    assert {"HostIp": settings.GATEWAY_HOST, "HostPort": str(port)} in bound
    assert all(one["HostIp"] == settings.GATEWAY_HOST for one in bound)


def test_sni_chooses_among_the_certificates_of_a_listener(balancer: dict[str, Any], listener: dict[str, Any]) -> None:
    port, arn = door(balancer, 443), requested("blog.example")
    elb().add_listener_certificates(ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": arn}])
    wait_until(lambda: shows(port, "blog.example", "by https"))
    assert shows(port, "shop.example", "by https")
    found = elb().describe_listener_certificates(ListenerArn=listener["ListenerArn"])["Certificates"]
    assert {"CertificateArn": arn, "IsDefault": False} in found
    elb().remove_listener_certificates(ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": arn}])
    wait_until(lambda: not shows(port, "blog.example", "by https"))
    assert refused(
        elb().remove_listener_certificates,
        ListenerArn=listener["ListenerArn"],
        Certificates=listener["Certificates"],
    ) == "OperationNotPermitted"  # fmt: skip


def test_port_80_redirects_to_https_and_the_way_leads_to_this_machine(
    balancer: dict[str, Any], listener: dict[str, Any]
) -> None:
    port = door(balancer, 443)
    to = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    elb().create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": to}],
    )
    wait_until(lambda: fetch(balancer["DNSName"]).status == 301)
    answer = fetch(balancer["DNSName"], "/a/b?c=d")
    new = door(balancer, 443)  # a new listener may have meant a new container, the port stays
    assert new == port
    assert answer.headers["Location"] == f"https://{balancer['DNSName']}:{port}/a/b?c=d"
    assert "by https" in get(port, balancer["DNSName"], trust=False)[1]


@pytest.fixture(scope="module")
def pair(local_aws: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[bytes, bytes]]:
    """Makes a key and a self-signed certificate for a name, with openssl in the load balancers' image."""

    def make(name: str) -> tuple[bytes, bytes]:
        script = (
            "cd /tmp; openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 9 -subj /CN=$0 "
            "-addext subjectAltName=DNS:$0 2>/dev/null; cat k c"
        )
        text = docker.from_env().containers.run(
            proxy.image(), ["-c", script, name], entrypoint=["sh"], remove=True, network_mode="none"
        ).decode()  # fmt: skip
        key, mark, certificate = text.partition("-----BEGIN CERTIFICATE")
        return key.encode(), (mark + certificate).encode()

    return make


def test_an_imported_certificate_is_shown_as_it_was_imported(
    balancer: dict[str, Any], pair: Callable[[str], tuple[bytes, bytes]]
) -> None:
    key, certificate = pair("mine.example")
    other, _ = pair("other.example")
    assert refused(acm().import_certificate, Certificate=certificate, PrivateKey=other) == "ValidationException"
    arn = acm().import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
    made = elb().create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=8443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=says("imported"),
    )["Listeners"][0]
    assert made["SslPolicy"] == "ELBSecurityPolicy-2016-08"  # the API's default
    port = door(balancer, 8443)

    def der() -> bytes | None:
        try:
            with connect(port, "mine.example", trust=False) as sock:
                return sock.getpeercert(binary_form=True)
        except OSError:
            return None

    wait_until(lambda: der() == ssl.PEM_cert_to_DER_cert(certificate.decode()))
    key, renewed = pair("mine.example")
    acm().import_certificate(CertificateArn=arn, Certificate=renewed, PrivateKey=key)
    wait_until(lambda: der() == ssl.PEM_cert_to_DER_cert(renewed.decode()))
    elb().delete_listener(ListenerArn=made["ListenerArn"])
    acm().delete_certificate(CertificateArn=arn)


@pytest.fixture(scope="module")
def secure_target(vpc: dict[str, Any]) -> Iterator[str]:
    """The address of a target that speaks TLS on port 8443 and answers /etc/hostname with its name."""
    joined = network.ensure(network.DEFAULT_VPC, vpc["CidrBlock"])
    made = docker.from_env().containers.run(
        proxy.image(),
        ["-c", SECURE_TARGET.replace("cd /tmp", "cd / && mkdir -p /tmp && cd /tmp && echo hello > ok")],
        entrypoint=["sh"],
        network=joined,
        detach=True,
        stop_signal="SIGKILL",
        labels={settings.LABEL_KEY: settings.LABEL_VALUE},
    )
    made.reload()
    yield made.attrs["NetworkSettings"]["Networks"][joined]["IPAddress"]
    made.remove(force=True)


def test_targets_are_spoken_to_and_checked_by_https(
    balancer: dict[str, Any], vpc: dict[str, Any], listener: dict[str, Any], secure_target: str
) -> None:
    group = elb().create_target_group(
        Name="by-https", Protocol="HTTPS", Port=8443, VpcId=vpc["VpcId"], TargetType="ip", HealthCheckPath="/ok"
    )["TargetGroups"][0]
    assert group["HealthCheckProtocol"] == "HTTPS"
    elb().create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=5,
        Conditions=[{"Field": "path-pattern", "Values": ["/ok"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    elb().register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": secure_target}])

    def state() -> str:
        found = elb().describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        return found[0]["TargetHealth"]["State"]

    wait_until(lambda: state() == "healthy")
    assert "hello" in get(door(balancer, 443), "shop.example", "/ok")[1]


def test_a_network_load_balancer_ends_tls(subnets: list[str], vpc: dict[str, Any], secure_target: str) -> None:
    made = elb().create_load_balancer(Name="secure-net", Type="network", Subnets=subnets)["LoadBalancers"][0]
    group = elb().create_target_group(
        Name="by-tls", Protocol="TLS", Port=8443, VpcId=vpc["VpcId"], TargetType="ip"
    )["TargetGroups"][0]  # fmt: skip
    elb().create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="TLS",
        Port=443,
        Certificates=[{"CertificateArn": requested("net.example")}],
        AlpnPolicy=["HTTP2Optional"],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    elb().register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": secure_target}])
    wait_until(lambda: fetch(f"443.{made['DNSName']}").status == 421, 60)
    port = int(re.search(r":(\d+)\.", fetch(f"443.{made['DNSName']}").text)[1])

    def answers() -> bool:
        try:
            return "hello" in get(port, "net.example", "/ok")[1]
        except OSError:
            return False

    wait_until(answers)
    with connect(port, "net.example", alpn=["h2", "http/1.1"]) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
    elb().delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def test_what_cannot_be_is_refused_and_changes_nothing(balancer: dict[str, Any], listener: dict[str, Any]) -> None:
    arn = listener["Certificates"][0]["CertificateArn"]
    wanted = {
        "LoadBalancerArn": balancer["LoadBalancerArn"],
        "Protocol": "HTTPS",
        "Port": 9443,
        "Certificates": [{"CertificateArn": arn}],
        "DefaultActions": says("x"),
    }
    code = lambda **more: refused(elb().create_listener, **wanted | more)  # noqa: E731
    assert code(Certificates=[]) == "ValidationError"
    assert code(Certificates=[{"CertificateArn": arn[:-4] + "0000"}]) == "CertificateNotFound"
    assert code(Certificates=[{"CertificateArn": arn}] * 2) == "TooManyCertificates"
    assert code(SslPolicy="ELBSecurityPolicy-none") == "SSLPolicyNotFound"
    assert code(AlpnPolicy=["HTTP2Only"]) == "ValidationError"
    assert code(Protocol="HTTP") == "ValidationError"
    assert code(Certificates=[{"CertificateArn": "arn:aws:iam::000000000000:server-certificate/x"}]) == (
        "UnsupportedCertificate"
    )
    assert 9443 not in [
        one["Port"] for one in elb().describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    ]
    assert refused(elb().modify_listener, ListenerArn=listener["ListenerArn"], SslPolicy="no") == "SSLPolicyNotFound"


def test_every_policy_is_one_that_haproxy_takes(balancer: dict[str, Any], listener: dict[str, Any]) -> None:
    names = [one["Name"] for one in elb().describe_ssl_policies()["SslPolicies"]]
    assert "ELBSecurityPolicy-2016-08" in names and len(names) > 10
    port = door(balancer, 443)
    for name in ("ELBSecurityPolicy-TLS13-1-0-2021-06", "ELBSecurityPolicy-TLS13-1-3-2021-06"):
        elb().modify_listener(ListenerArn=listener["ListenerArn"], SslPolicy=name)
        newest = name.startswith("ELBSecurityPolicy-TLS13-1-3")

        def is_taken(newest: bool = newest) -> bool:
            try:
                with connect(port, "shop.example", most=ssl.TLSVersion.TLSv1_2):
                    return not newest
            except OSError:
                return newest

        wait_until(is_taken)
        assert shows(port, "shop.example", "by https")
