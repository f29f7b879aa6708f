"""The gateway keeps its connections to load balancers: else a minute of requests takes every port of the machine."""

import asyncio
import concurrent.futures
import contextlib
import http.client
from collections.abc import Iterator

import boto3
import docker
import h11
import psutil
import pytest
from cloud_lab import network, ours, wait_until

from labs import settings
from labs.cloud.engine import connections


@pytest.fixture
def balancer(local_aws: object) -> Iterator[str]:
    """The name of a load balancer that answers by itself."""
    elb = boto3.client("elbv2")
    subnets = network()["awsvpcConfiguration"]["subnets"]
    made = elb.create_load_balancer(Name="kept", Subnets=subnets)["LoadBalancers"][0]
    fixed = {"StatusCode": "200", "MessageBody": "well", "ContentType": "text/plain"}
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )
    wait_until(lambda: ask(made["DNSName"]) == 200, 60)
    yield made["DNSName"]
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def ask(host: str, method: str = "GET", body: bytes | None = None) -> int:
    return reply(host, method, body)[0]


def reply(host: str, method: str = "GET", body: bytes | None = None, port: int = 0) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(settings.GATEWAY_HOST, port or settings.gateway_port(), timeout=10)
    connection.request(method, "/", body, {"Host": host})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def closed_connections() -> int:
    """How many connections on loopback wait for their end, those of clients to the gateway left out."""
    waiting = (one for one in psutil.net_connections("tcp4") if one.status == psutil.CONN_TIME_WAIT)
    gateway = settings.gateway_port()
    return sum(gateway not in (one.laddr.port, one.raddr.port) for one in waiting if one.raddr.ip == "127.0.0.1")


def test_three_hundred_requests_leave_hardly_a_connection_behind(balancer: str) -> None:
    before = closed_connections()
    assert {ask(balancer) for _ in range(300)} == {200}
    assert closed_connections() - before < 30


def test_a_body_is_never_sent_twice_and_headers_are_enough_for_the_rest(balancer: str) -> None:
    for method, body in (("GET", None), ("HEAD", None), ("POST", b"x" * 100_000), ("PUT", b""), ("GET", b"body")):
        assert ask(balancer, method, body) == 200


def test_what_a_change_has_replaced_is_heard_no_more(balancer: str) -> None:
    """Clients beside each other keep many connections alive; none of them is answered by the old rules later.

    That the load balancer has its new rules is seen past the gateway, so that no kept connection is used up by it.
    """
    elb = boto3.client("elbv2")
    arn = elb.describe_load_balancers(Names=["kept"])["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["ListenerArn"]
    (container,) = ours("load-balancer")
    door = int(docker.from_env().containers.get(container).ports["80/tcp"][0]["HostPort"])
    with concurrent.futures.ThreadPoolExecutor(12) as clients:
        for word in ("first", "second", "third"):
            together = [clients.submit(reply, balancer) for _ in range(100)]
            assert {one.result()[0] for one in together} == {200}
            fixed = {"StatusCode": "200", "MessageBody": word, "ContentType": "text/plain"}
            change = [{"Type": "fixed-response", "FixedResponseConfig": fixed}]
            elb.modify_listener(ListenerArn=listener, DefaultActions=change)
            wait_until(lambda word=word: reply(balancer, port=door)[1] == word.encode())
            after = [clients.submit(reply, balancer) for _ in range(60)]
            assert {one.result() for one in after} == {(200, word.encode())}


def test_only_a_fit_connection_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on which an answer is missing is not, nor one that was closed or has waited for long."""

    async def scenario() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await reader.readuntil(b"\r\n\r\n"):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    answered.append(writer)
            await _close(writer)

        answered: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(answer, settings.GATEWAY_HOST, 0)
        door = server.sockets[0].getsockname()[1]

        first = await connections.take(door, fresh=False)
        connections.give_back(door, first)  # nothing was asked: not fit
        assert first.writer.is_closing()
        second = await connections.take(door, fresh=False)
        assert second is not first
        await _exchange(second)
        connections.give_back(door, second)
        another = await connections.take(door, fresh=True)
        assert another is not second
        assert await connections.take(door, fresh=False) is second
        assert second.used

        await _exchange(second)
        connections.give_back(door, second)
        answered[-1].close()
        while not second.reader.at_eof():
            await asyncio.sleep(0.01)
        third = await connections.take(door, fresh=False)
        assert third is not second
        await _exchange(third)
        connections.give_back(door, third)
        with connections.renewed([door]):
            renewed = await connections.take(door, fresh=False)
            assert renewed is not third
            await _exchange(renewed)
        connections.give_back(door, renewed)
        assert renewed.writer.is_closing()
        third = await connections.take(door, fresh=False)
        await _exchange(third)
        connections.give_back(door, third)
        monkeypatch.setattr(connections, "KEEP_SECONDS", 0.0)
        fourth = await connections.take(door, fresh=False)
        assert fourth is not third
        for one in (first, second, another, renewed, third, fourth):
            await _close(one.writer)
        server.close()
        await server.wait_closed()

    asyncio.run(asyncio.wait_for(scenario(), 20))


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _exchange(connection: connections.Connection) -> None:
    """A request and its answer."""
    state = connection.http
    asked = h11.Request(method="GET", target="/", headers=[("host", "x")])
    connection.writer.write((state.send(asked) or b"") + (state.send(h11.EndOfMessage()) or b""))
    while not isinstance(event := state.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            state.receive_data(await connection.reader.read(1000))
