"""The shop: one image, one network, three containers that differ in their environment."""

from pathlib import Path

import docker

import labs

client = docker.from_env()
shop = Path(labs.__file__).parent / "what_docker_is" / "shop"
client.images.build(path=str(shop), tag="box-shop:1", rm=True)
client.networks.create("box-shop", labels={"course": "containers-on-aws"})


def start(part, **options):
    environment = {"SERVICE": part, "PRICES": "box-prices", "STOCK": "box-stock"}
    client.containers.run(
        "box-shop:1", name=f"box-{part}", detach=True, network="box-shop", environment=environment, **options
    )


start("prices")
start("stock")
start("front", ports={"8000/tcp": ("127.0.0.1", 8084)})
