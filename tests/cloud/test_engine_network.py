"""The networks of VPCs: the default VPC finds its own address range free, whatever other networks there are."""

import docker
import pytest

from labs.cloud.engine import network

pytestmark = pytest.mark.usefixtures("place")


def test_no_other_network_takes_the_range_of_the_default_vpc() -> None:
    """Docker gives out its ranges in turn; after more networks than it has of them each one has had its turn."""
    client = docker.from_env()
    ranges = []
    try:
        for _ in range(20):
            name = network.ensure("other")
            ranges.append(client.networks.get(name).attrs["IPAM"]["Config"][0]["Subnet"])
            client.networks.get(name).remove()
        assert not [one for one in ranges if one.startswith("172.31.")], ranges
        default = network.ensure(network.DEFAULT_VPC, network.DEFAULT_VPC_RANGE)
        assert client.networks.get(default).attrs["IPAM"]["Config"][0]["Subnet"] == network.DEFAULT_VPC_RANGE
    finally:
        network.remove_all()
