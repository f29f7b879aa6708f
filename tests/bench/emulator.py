"""MiniStack alone, as its users run it: `python tests/bench/emulator.py PORT FOLDER`.

It answers on 127.0.0.1 only, keeps its files in the folder, and may remove no container of another MiniStack.
"""

import asyncio
import os
import sys
from pathlib import Path


def main() -> None:
    """Runs until it is ended by a signal."""
    port, folder = sys.argv[1], Path(sys.argv[2])
    os.environ.update(
        GATEWAY_PORT=port,
        HOSTNAME="",  # it would look for a container of that name, to find its own network
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL="WARNING",
        MINISTACK_HOSTNAME=instance(folder),
        PERSIST_STATE="0",
        S3_DATA_DIR=str(folder / "s3"),
        SFTP_ENABLED="0",
        STATE_DIR=str(folder / "state"),
    )
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app
    from ministack.core import container_reaper

    container_reaper.SERVICE_LABELS = ()  # what it leaves, the benchmark removes
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "WARNING"
    asyncio.run(serve(app, config))


def instance(folder: Path) -> str:
    """What the MiniStack with this folder calls itself on its containers' labels, with `:PORT` behind."""
    return f"course-bench-{folder.parent.name}"


if __name__ == "__main__":
    main()
