"""A load test: `.venv/bin/python tests/bench/load.py [--minutes 10] [--tasks 50] [--clients 20]`.

A service of web servers behind a load balancer is asked through the gateway, as fast as it answers. It fails if one
answer is an error, a task is lost, or the memory of the local AWS goes on growing.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import measures
import sides

from labs.cloud import environment

PORT = "4614"
EVERY_SECONDS = 2.0
GROWTH = 0.10  # of the memory, from the second quarter of the time to the last


def main() -> int:
    """Runs it, prints what was seen; 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--clients", type=int, default=measures.CLIENTS)
    wanted = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="course-load-"))
    os.environ.update(COURSE_DATA=str(home / "data"), COURSE_PORT=os.environ.get("COURSE_PORT", PORT))
    environment.apply(os.environ)
    measures.build_images()
    try:
        with sides.ours() as side, measures.balanced(side, measures.WEB, wanted.tasks) as (name, chosen):
            seen = _run(side, name, chosen, wanted.minutes * 60, wanted.clients)
    finally:
        measures.remove_images()
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps(seen, indent=2))
    wrong = []
    if seen["errors"]:
        wrong.append(f"{seen['errors']} of the answers were errors")
    if seen["tasks lost"]:
        wrong.append(f"{seen['tasks lost']} tasks were lost")
    if seen["memory, last quarter (MiB)"] > seen["memory, second quarter (MiB)"] * (1 + GROWTH):
        wrong.append("the memory grows")
    print("; ".join(wrong) or "all well")
    return 1 if wrong else 0


def _run(side: sides.Side, name: str, chosen: str, seconds: float, clients: int) -> dict[str, float]:
    ecs, process = side.client("ecs"), psutil.Process(side.pid)
    before = {task["taskArn"] for task in measures.running(side, chosen)}
    idle, memory, calls = process.memory_info().rss / 2**20, [], []
    with ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(measures.load, f"{side.url}/", seconds, name, clients)
        while not loaded.done():
            memory.append(process.memory_info().rss / 2**20)
            begun = time.perf_counter()
            ecs.describe_services(cluster=measures.CLUSTER, services=[chosen])
            calls.append(time.perf_counter() - begun)
            with contextlib.suppress(TimeoutError):
                loaded.result(EVERY_SECONDS)
    found, quarter = loaded.result(), max(1, len(memory) // 4)
    after = {task["taskArn"] for task in measures.running(side, chosen)}
    return {
        "tasks": len(before),
        "clients": clients,
        "seconds": seconds,
        "requests": found["total"],
        "requests a second": found["requests"],
        "errors": found["errors"],
        "p50 (ms)": found["p50"],
        "p99 (ms)": found["p99"],
        "DescribeServices meanwhile, p50 (ms)": round(statistics.median(calls) * 1000, 1),
        "tasks lost": len(before - after),
        "memory before (MiB)": round(idle, 1),
        "memory, second quarter (MiB)": round(statistics.mean(memory[quarter : 2 * quarter]), 1),
        "memory, last quarter (MiB)": round(statistics.mean(memory[-quarter:]), 1),
        "memory, most (MiB)": round(max(memory), 1),
    }


if __name__ == "__main__":
    raise SystemExit(main())
