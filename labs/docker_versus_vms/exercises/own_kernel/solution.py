import importlib.resources
import time

import docker

client = docker.from_env()
vm = importlib.resources.files("labs.docker_versus_vms") / "vm"
client.images.build(path=str(vm), tag="wall-guest:1", rm=True)

guest = client.containers.run(
    "wall-guest:1",
    ["stay"],
    name="wall-guest",
    detach=True,
    network_mode="none",
    mem_limit="256m",
    memswap_limit="256m",
)
while b"ready kernel" not in guest.logs():
    time.sleep(0.2)
