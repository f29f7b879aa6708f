"""Measure the figures in README: `.venv/bin/python tests/bench/bench.py` (an engine and the base image present).

With names of parts behind it (`starts`, `import`, `cloud`, `compare`, `events`, `chapters`) only these are measured,
and the others stay as they were. `load.py` beside it is the load test.

Each figure stands beside a reference measured in the same run, since seconds alone say little about another machine.
Writes tests/bench/figures.json and the table between the two markers in README.md.
"""

import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labs import settings  # noqa: E402

FIGURES = Path(__file__).with_name("figures.json")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
ASLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]  # ends at once when it is told to


def main() -> int:
    """Measure, write, print."""
    home = Path(tempfile.mkdtemp(prefix="course-bench-"))
    os.environ.update(COURSE_DATA=str(home / "data"), COURSE_WORK=str(home / "work"), COURSE_PORT="4613")
    parts: dict[str, Callable[[], dict[str, dict]]] = {
        "starts": lambda: _starts(home),
        "import": _import,
        "cloud": lambda: _cloud(home),
        "compare": lambda: _compare(home / "compare", "figures"),
        "events": lambda: _compare(home / "events", "events"),
        "chapters": lambda: _chapters(home),
    }
    wanted = sys.argv[1:] or list(parts)
    if unknown := set(wanted) - set(parts):
        print(f"There is no part {', '.join(sorted(unknown))}. The parts are {', '.join(parts)}.", file=sys.stderr)
        return 2
    kept = json.loads(FIGURES.read_text("utf-8"))["figures"] if sys.argv[1:] else {}
    try:
        figures = kept | {name: figure for part in wanted for name, figure in parts[part]().items()}
    finally:
        shutil.rmtree(home, ignore_errors=True)
    older = ", rows of other parts on an earlier run" if len(wanted) < len(parts) else ""
    record = {"machine": _machine() + older, "figures": figures}
    FIGURES.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _write_readme(record)
    print(json.dumps(record, indent=2, ensure_ascii=False))
    return 0


def _starts(home: Path) -> dict[str, dict]:
    clone = home / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    env = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    python = Path(sys.base_prefix) / "bin/python3"
    start = [python, "-m", "labs", "start", "--no-browser", "--port", "8997"]
    cold = _seconds(lambda: subprocess.run(start, cwd=clone, env=env, check=True))
    begin = functools.partial(subprocess.run, start, cwd=clone, env=env, check=True)
    again = statistics.median(_seconds(begin) for _ in range(3))
    stop = functools.partial(subprocess.run, [python, "-m", "labs", "stop"], cwd=clone, env=env, check=True)
    warm = []
    for _ in range(3):
        stop()
        warm.append(_seconds(begin))
    stop()
    alone = home / "pip"
    subprocess.run([python, "-m", "venv", alone], check=True)
    command = [alone / "bin/python", "-m", "pip", "install", "-q", "-r", ROOT / "requirements.txt"]
    pip = _seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    return {
        "cold start": _figure(cold, "s", pip, "pip install of the same requirements alone"),
        "warm start, after `stop`": _figure(statistics.median(warm), "s", cold, "the cold start"),
        "`start` while all runs": _figure(again, "s", cold, "the cold start"),
    }


def _import() -> dict[str, dict]:
    def fresh(code: str) -> float:
        command = [sys.executable, "-c", code]
        return statistics.median(_seconds(lambda: subprocess.run(command, cwd=ROOT, check=True)) for _ in range(7))

    return {"kit import": _figure(fresh("import labs.kit"), "s", fresh("pass"), "an empty interpreter")}


def _cloud(home: Path) -> dict[str, dict]:
    import docker

    from labs.cloud import environment, server

    environment.apply(os.environ)
    server.ensure_running()
    health = server.health()
    assert health
    idle = _resident(health["pid"])
    try:
        client = docker.from_env()
        labels = {settings.LABEL_KEY: settings.LABEL_VALUE}

        def plain() -> None:
            box = client.containers.run(settings.BASE_IMAGE, "sleep 60", detach=True, init=True, labels=labels)
            box.remove(force=True)

        reference = statistics.median(_seconds(plain) for _ in range(9))
        running = statistics.median(_run_tasks(9))
    finally:
        server.stop()
    return {
        "RunTask to RUNNING": _figure(running, "s", reference, "docker run and rm of the same image"),
        "local AWS, idle memory": _figure(idle, "MiB", _resident_of_an_interpreter(), "an empty interpreter"),
    }


def _compare(home: Path, what: str) -> dict[str, dict]:
    """The rows of one function of `compare`, and this environment as it was before."""
    import compare

    before = dict(os.environ)
    try:
        return {name: _figure(*row) for name, row in getattr(compare, what)(home).items()}
    finally:
        os.environ.clear()
        os.environ.update(before)


def _run_tasks(times: int) -> list[float]:
    import boto3

    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName="bench")
    ecs.register_task_definition(
        family="bench",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": settings.BASE_IMAGE, "command": ASLEEP}],
    )
    subnet = boto3.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    network = {"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}}
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        task = ecs.run_task(
            cluster="bench", taskDefinition="bench", launchType="FARGATE", networkConfiguration=network
        )["tasks"][0]["taskArn"]
        while ecs.describe_tasks(cluster="bench", tasks=[task])["tasks"][0]["lastStatus"] != "RUNNING":
            if time.perf_counter() - begun > 60:
                raise TimeoutError("A task did not reach RUNNING in 60 s: docker ps and the gateway's log tell why.")
            time.sleep(0.01)
        taken.append(time.perf_counter() - begun)
        ecs.stop_task(cluster="bench", task=task)
        ecs.get_waiter("tasks_stopped").wait(cluster="bench", tasks=[task], WaiterConfig={"Delay": 1})
    return taken


def _chapters(home: Path) -> dict[str, dict]:
    from labs.cloud import environment, server
    from labs.kit import syllabus

    environment.apply(os.environ)
    server.ensure_running()
    figures = {}
    try:
        empty = home / "empty.ipynb"
        cell = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": None, "id": "a"}
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        empty.write_text(json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
        reference = _seconds(lambda: _nbval(empty))
        for entry in syllabus.load().chapters:
            if entry.state == "ready":
                path = syllabus.notebook_path(entry.slug)
                taken = _seconds(lambda path=path: _nbval(path))
                figures[f"nbval, chapter {entry.number:02d}"] = _figure(taken, "s", reference, "a notebook of one cell")
    finally:
        server.stop()
    return figures


def _nbval(path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, "-c", os.devnull, str(path)], cwd=path.parent, env=env, check=True, capture_output=True)


def _figure(value: float, unit: str, reference: float, of: str) -> dict:
    ratio = value / reference
    return {
        "value": round(value, 2),
        "unit": unit,
        "reference": round(reference, 2),
        "of": of,
        "ratio": round(ratio, 2),
    }


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _resident(pid: int) -> float:
    """Resident memory of a process in MiB (Linux: /proc/<pid>/status, VmRSS in kB)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status names no resident memory.")


def _resident_of_an_interpreter() -> float:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        time.sleep(0.5)
        return _resident(process.pid)
    finally:
        process.communicate(b"\n")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB memory, "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"{time.strftime('%Y-%m-%d')}"
    )


def _write_readme(record: dict) -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    rows = ["| what | measured | against | ratio |", "|---|---|---|---|"]
    for name, figure in record["figures"].items():
        unit = figure["unit"]
        rows.append(
            f"| {name} | {figure['value']} {unit} | {figure['of']}: {figure['reference']} {unit} | {figure['ratio']} |"
        )
    table = "\n".join([f"Measured on {record['machine']}, by `tests/bench/bench.py`:", "", *rows])
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    raise SystemExit(main())
