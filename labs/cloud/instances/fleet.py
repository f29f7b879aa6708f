"""Keeps the containers of the instances as EC2 says: one for each running instance of an ECS-optimized AMI.

It looks when the door has passed on a call that may change an instance, when an instance's container ends, and now and
then, for instances can be launched past the door (a template of CloudFormation).
"""

import asyncio
import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException
from requests.exceptions import RequestException

from labs import settings
from labs.cloud.engine import docker, labels
from labs.cloud.engine.stream import Stream
from labs.cloud.frame import aws, clock, signals
from labs.cloud.instances import images, launching, machines, user_data
from labs.cloud.instances.machines import Machine
from labs.cloud.instances.state import Instances
from labs.cloud.relay.relay import Relay, RelayUnavailableError

LOOK_SECONDS = 30.0
RETRY_SECONDS = 2.0
FRESH_SECONDS = 20.0  # a launch that EC2 does not show yet is not forgotten
ADDRESS_TAG = "course:private-ip"  # of an instance whose container could not have its own address

log = logging.getLogger(__name__)


class Fleet:
    """The loop.

    Args:
        room: the state.
        stream: the engine's events.
        relay: the way from an instance to the local AWS.
    """

    def __init__(self, room: Instances, stream: Stream, relay: Relay) -> None:
        self._room = room
        self._relay = relay
        self._ended = False
        self._told: dict[str, str] = {}  # the state of each instance that the others have heard of
        stream.listen(self._hear)

    def start(self) -> None:
        """Begins."""
        self._room.background.spawn(self._run(), "instances")

    async def stop(self) -> None:
        """Ends, with the containers of all instances. EC2's records stay, so the next start boots them again."""
        self._ended = True
        await self._room.background.end()
        try:
            for instance in await docker.run(machines.present):
                await docker.run(machines.remove, instance)
        except (DockerException, RequestException, OSError) as problem:
            log.warning("containers of instances may be left: %s", problem)

    def _hear(self, event: dict[str, Any] | None) -> None:
        if event is None or (event["status"] in ("die", "destroy") and labels.INSTANCE in event["Actor"]["Attributes"]):
            self._room.changed.beat()

    async def _run(self) -> None:
        beat = self._room.changed.next()
        while not self._ended:
            if beat.done():
                beat = self._room.changed.next()
            try:
                wait = LOOK_SECONDS if await self._look() else RETRY_SECONDS
            except (ClientError, BotoCoreError, DockerException, RequestException, OSError) as problem:
                log.warning("the instances could not be looked at: %s", problem)
                wait = RETRY_SECONDS
            except Exception:
                log.exception("the instances could not be looked at")
                wait = LOOK_SECONDS
            await asyncio.wait([beat], timeout=wait)

    async def _look(self) -> bool:
        """Compares EC2 and the engine, and moves a step; whether all is as it should be."""
        regions = {settings.REGION} | {one["region"] for one in self._room.launches.values()}
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for region in sorted(regions):
            for one in await launching.instances(region):
                if one.get("ImageId") in images.IDS:
                    found[one["InstanceId"]] = (region, one)
        states = {instance: one["State"]["Name"] for instance, (_, one) in found.items()}
        wanted = {instance for instance, state in states.items() if state in ("running", "pending")}
        there, run = await docker.run(machines.present), await docker.run(machines.running)
        for instance in there - wanted:
            await docker.run(machines.remove, instance)
        self._forget(states)
        booted = await asyncio.gather(*(self._boot(*found[one]) for one in sorted(wanted - run)))
        for instance in {*states, *self._told}:
            state = states.get(instance, "terminated")
            if self._told.get(instance) != state:
                self._told[instance] = state
                self._room.signals.send(signals.EC2_INSTANCES, instance)
        gone = [one for one in await docker.run(machines.disks) if states.get(one, "terminated") == "terminated"]
        for instance in gone:
            self._told.pop(instance, None)
            await docker.run(machines.remove_disk, instance)
        return all(booted)

    def _forget(self, states: dict[str, str]) -> None:
        """Forgets the launches of instances that EC2 does not know any more."""
        for instance in self._room.launches:
            fresh = clock.now() - self._room.launches[instance]["at"] < FRESH_SECONDS
            if states.get(instance) == "terminated" or (instance not in states and not fresh):
                self._room.launches.drop(instance)
        self._room.store.flush_quietly()

    async def _boot(self, region: str, one: dict[str, Any]) -> bool:
        """Boots an instance; whether it could be."""
        try:
            machine = await self._machine(region, one)
            address = await docker.run(machines.boot, machine, self._relay)
            tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
            if address != tags.get(ADDRESS_TAG, machine.address):
                await self._tag(machine, address)
        except (
            ClientError,
            BotoCoreError,
            DockerException,
            RequestException,
            RelayUnavailableError,
            OSError,
        ) as problem:
            log.warning("the instance %s could not be booted: %s", one["InstanceId"], problem)
            return False
        return True

    async def _tag(self, machine: Machine, address: str) -> None:
        """Says where an instance is to be reached, if that is not its private address."""
        tag = {"Key": ADDRESS_TAG, "Value": address}
        await aws.call("ec2", "create_tags", region=machine.region, Resources=[machine.id], Tags=[tag])

    async def _machine(self, region: str, one: dict[str, Any]) -> Machine:
        subnets = await aws.call("ec2", "describe_subnets", region=region, SubnetIds=[one["SubnetId"]])
        subnet = subnets["Subnets"][0]
        vpc = (await aws.call("ec2", "describe_vpcs", region=region, VpcIds=[subnet["VpcId"]]))["Vpcs"][0]
        return Machine(
            id=one["InstanceId"],
            region=region,
            type=one["InstanceType"],
            image=one["ImageId"],
            address=one["PrivateIpAddress"],
            subnet=subnet["SubnetId"],
            vpc=subnet["VpcId"],
            vpc_cidr=vpc["CidrBlock"],
            is_default_vpc=vpc.get("IsDefault", False),
            zone=subnet["AvailabilityZone"],
            configuration=user_data.configuration(user_data.decode(await self._user_data(region, one["InstanceId"]))),
        )

    async def _user_data(self, region: str, instance: str) -> str:
        answer = await aws.call(
            "ec2", "describe_instance_attribute", region=region, InstanceId=instance, Attribute="userData"
        )
        return answer.get("UserData", {}).get("Value", "")
