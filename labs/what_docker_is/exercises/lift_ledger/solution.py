"""The ledger as it is: its folder, where it expects it, and its program as the command."""

import shutil
from pathlib import Path

import docker

import labs

client = docker.from_env()
ledger = Path(labs.__file__).parent / "what_docker_is" / "ledger"
context = Path("ledger")
shutil.copytree(ledger, context, dirs_exist_ok=True)
(context / "Dockerfile").write_text(
    'FROM debian:bookworm-slim\nLABEL course=containers-on-aws\nCOPY opt /opt\nCMD ["/opt/ledger/bin/close_day"]\n'
)
client.images.build(path=str(context), tag="box-ledger:1", rm=True)
