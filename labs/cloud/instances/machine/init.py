"""The first process of a container instance: keeps the ECS agent running, as systemd does with ecs.service.

It lives as long as the instance, and the network of the instance with it: an agent that ends takes no task with it.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

AGENT = [sys.executable, "-u", "/usr/libexec/ecs/agent.py"]
STOPPED = Path("/run/ecs-stopped")  # made by `systemctl stop ecs`
PID = Path("/run/ecs-agent.pid")
RESTART_SECONDS = float(os.environ["RESTART_SECONDS"])
LOOK_SECONDS = 0.5


def main() -> None:
    """Runs the agent, again and again."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    configuration = Path("/etc/ecs/ecs.config")
    configuration.write_text(os.environ["ECS_CONFIG"])
    STOPPED.unlink(missing_ok=True)
    os.environ["BOOT_ID"] = str(uuid.uuid4())  # another one with every start of the instance
    while True:
        while STOPPED.exists():
            time.sleep(LOOK_SECONDS)
        agent = subprocess.Popen(AGENT)
        PID.write_text(f"{agent.pid}\n")
        code = agent.wait()
        if not STOPPED.exists():
            print(f"ecs-init: the agent has ended with {code}; it is started again", flush=True)
            time.sleep(RESTART_SECONDS)


main()
