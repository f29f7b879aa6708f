"""A second label of the same key: the later one wins."""

import shutil
import tempfile
from pathlib import Path

import docker

import labs

client = docker.from_env()
job = Path(labs.__file__).parent / "getting_started_with_docker" / "job"

dockerfile = """\
FROM debian:bookworm-slim
LABEL course=containers-on-aws
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /job
COPY tally.py orders.csv ./
LABEL course=tally
ENV RATE=20
CMD ["python3", "tally.py"]
"""

with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(job, folder, dirs_exist_ok=True)
    Path(folder, "Dockerfile").write_text(dockerfile)
    client.images.build(path=folder, tag="dock-tally:1", rm=True)
