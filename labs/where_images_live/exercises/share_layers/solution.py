import io

import docker

engine = docker.from_env()


def build(tag: str, text: str, nocache: bool = False) -> None:
    """Build an image from the text of a Dockerfile."""
    engine.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True, nocache=nocache)


big = "RUN head -c 5000000 /dev/urandom > /opt/model\n"
build("reg-share-base:1", f"FROM debian:bookworm-slim\nLABEL course=containers-on-aws\n{big}")
build("reg-share-a:1", "FROM reg-share-base:1\nRUN echo a > /opt/name\n")
build("reg-share-b:1", "FROM reg-share-base:1\nRUN echo b > /opt/name\n")
