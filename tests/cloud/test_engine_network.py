"""The networks of VPCs: the default VPC finds its own address range free, whatever other networks there are."""

import docker
import pytest

from labs.cloud.engine import network

pytestmark = pytest.mark.usefixtures("place")


def test_no_other_network_takes_the_range_of_the_default_vpc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker gives out its ranges in turn; after more networks than it has of them each one has had its turn.

    The range kept free here is one of Docker's own that nobody uses: the real one may be another local AWS's now.
    """
    client = docker.from_env()
    probe = client.networks.create("range-probe")
    wanted = client.networks.get(probe.id).attrs["IPAM"]["Config"][0]["Subnet"]
    probe.remove()
    monkeypatch.setattr(network, "DEFAULT_VPC_RANGE", wanted)
    ranges = []
    try:
        for _ in range(32):
            name = network.ensure("other")
            ranges.append(client.networks.get(name).attrs["IPAM"]["Config"][0]["Subnet"])
            client.networks.get(name).remove()
        assert wanted not in ranges
        default = network.ensure(network.DEFAULT_VPC, network.DEFAULT_VPC_RANGE)
        assert client.networks.get(default).attrs["IPAM"]["Config"][0]["Subnet"] == wanted
    finally:
        network.remove_all()
