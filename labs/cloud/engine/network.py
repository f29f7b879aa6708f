"""The Docker networks in which tasks and load balancers live: one for each VPC.

The default VPC's network gets that VPC's own address range (172.31.0.0/16, as on AWS) where the machine does not use
it, so that a task's address is one of its subnet. Any other VPC gets a range of Docker's choice, but not that one.
https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
"""

import ipaddress
import logging
import threading

import docker as sdk
import psutil
from docker.errors import APIError, NotFound
from docker.models.networks import Network

from labs import settings
from labs.cloud.engine import docker, labels

ROLE = "network"
DEFAULT_VPC = "default"
DEFAULT_VPC_RANGE = "172.31.0.0/16"

log = logging.getLogger(__name__)
_lock = threading.Lock()


def ensure(vpc: str = DEFAULT_VPC, cidr: str | None = None) -> str:
    """The network of a VPC, made if missing. For a thread.

    Args:
        vpc: the VPC's id, or `default`.
        cidr: the address range to ask for, if it is free.

    Returns:
        The network's name in Docker.
    """
    name = f"{settings.COURSE}-{vpc}-{labels.owner()[:6]}"
    with _lock:
        client = docker.client()
        try:
            client.networks.get(name)
        except NotFound:
            _create(client, name, cidr)
    return name


def remove_all() -> None:
    """Removes our networks that nothing is on any more. For a thread."""
    for network in docker.client().networks.list(filters={"label": labels.ours(ROLE)}):
        try:
            network.remove()
        except APIError as problem:
            log.warning("the network %s stays: %s", network.name, problem)


def _create(client: sdk.DockerClient, name: str, cidr: str | None) -> None:
    if cidr and not _in_use(cidr):
        pool = sdk.types.IPAMPool(subnet=cidr)
        try:
            client.networks.create(
                name, driver="bridge", ipam=sdk.types.IPAMConfig(pool_configs=[pool]), labels=labels.labels(ROLE)
            )
        except APIError as problem:  # another network of the engine has it
            log.info("the range %s is taken: %s", cidr, problem)
        else:
            return
    made = client.networks.create(name, driver="bridge", labels=labels.labels(ROLE))
    if not _in_default_vpc(made):
        return
    # Docker gives its ranges out in turn, and this one would be missing where the default VPC wants it.
    made.remove()
    pool = sdk.types.IPAMPool(subnet=DEFAULT_VPC_RANGE)
    config = sdk.types.IPAMConfig(pool_configs=[pool])
    held = client.networks.create(f"{name}-held", driver="bridge", ipam=config, labels=labels.labels(ROLE))
    try:
        client.networks.create(name, driver="bridge", labels=labels.labels(ROLE))
    finally:
        held.remove()


def _in_default_vpc(network: Network) -> bool:
    network.reload()
    ranges = [ipaddress.ip_network(one["Subnet"]) for one in network.attrs["IPAM"]["Config"] or []]
    wanted = ipaddress.ip_network(DEFAULT_VPC_RANGE)
    return any(one.version == wanted.version and one.overlaps(wanted) for one in ranges)


def _in_use(cidr: str) -> bool:
    """Whether an address of this machine lies in the range."""
    wanted = ipaddress.ip_network(cidr)
    found = (address.address for addresses in psutil.net_if_addrs().values() for address in addresses)
    for text in found:
        try:
            if ipaddress.ip_address(text.partition("%")[0]) in wanted:
                return True
        except ValueError:
            continue
    return False
