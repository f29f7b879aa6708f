"""What runs, and what each chapter holds: counted from the files, never from a list kept by hand."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from labs import settings
from labs.cloud import server
from labs.machine import engine, inventory, jupyter

WORD = re.compile(r"[^\W\d_][\w'’-]*")


def collect() -> dict[str, Any]:
    """Everything that `status` shows.

    Returns:
        `running`: engine, local_aws, backend, services, jupyterlab, things (counts by kind); `chapters`: a list, see
        `chapter_counts`, each with what it `needs` of the local AWS and what it `lacks` on each backend.
    """
    from labs.cloud.backends import table

    now = running()
    rows = chapters()
    for row in rows:
        row["needs"] = sorted(table.NEEDS.get(row["slug"], ()))
        row["lacks"] = {
            name: table.lacking(row["slug"], name, now["services"] if name == now["backend"] else ())
            for name in table.OFFERS
        }
    return {"running": now, "chapters": rows}


def running() -> dict[str, Any]:
    """What of the course runs now; None where it does not."""
    found = engine.use()
    health = server.health()
    lab = jupyter.find()
    things: list[inventory.Thing] = []
    if found:
        from docker.errors import DockerException

        with suppress(DockerException):
            things = inventory.find()
    return {
        "engine": found.describe() if found else None,
        "local_aws": settings.gateway_url() if health else None,
        "backend": settings.backend(),
        "backend_is": _backend(health),
        "services": health.get("services", []) if health else [],
        "jupyterlab": f"http://{jupyter.HOST}:{lab.notes['port']}" if lab else None,
        "things": {kind: sum(thing.kind == kind for thing in things) for kind in inventory.KINDS},
    }


def _backend(health: dict[str, Any] | None) -> str:
    """The backend in words: which one, where, in whose account."""
    chosen = settings.chosen_backend()
    name = settings.backend()
    if name == "aws":
        return f"aws: THE REAL ACCOUNT {chosen.get('account', '(none agreed to)')} in {chosen.get('region', '(none)')}"
    if health and health.get("backend") == name:
        where = f" at {health['backend_url']}" if "backend_url" in health else ""
        return f"{name} ({health['version']}{where})"
    return name


def chapters() -> list[dict[str, Any]]:
    """The counts of every chapter, in the order of the syllabus."""
    import yaml

    syllabus = yaml.safe_load((settings.NOTEBOOKS / "syllabus.yaml").read_text(encoding="utf-8"))
    return [chapter_counts(entry) for entry in syllabus["chapters"]]


def chapter_counts(entry: dict[str, Any]) -> dict[str, Any]:
    """What one chapter holds.

    Args:
        entry: the chapter's entry in notebooks/syllabus.yaml.

    Returns:
        number, slug, title, state, minutes (for a learner, of the syllabus), measured_seconds (what tests/bench took to
        run it; None if it did not), words (of prose in its notebook), exercises, wrong_states
        (scripted mistakes), questions, pictures.
    """
    slug = entry["slug"]
    lab = settings.LABS / slug
    exercises = [path.parent for path in sorted(lab.glob("exercises/*/exercise.yaml"))]
    return {
        **{key: entry[key] for key in ("number", "slug", "title", "state", "minutes")},
        "measured_seconds": _measured(entry["number"]),
        "words": _words(settings.NOTEBOOKS / f"{entry['number']:02d}_{slug}.ipynb"),
        "exercises": len(exercises),
        "wrong_states": sum(map(_wrong_states, exercises)),
        "questions": _entries(lab / "questions.yaml", "questions"),
        "pictures": len(list(settings.DIAGRAMS.glob(f"{slug}_*.svg"))),
    }


def _wrong_states(exercise: Path) -> int:
    """The scripted mistakes of an exercise: entries of wrong.yaml, and scripts of their own."""
    return _entries(exercise / "wrong.yaml", "mistakes") + len(list(exercise.glob("wrong/*.py")))


def _measured(number: int) -> float | None:
    try:
        record = json.loads((settings.ROOT / "tests/bench/figures.json").read_text(encoding="utf-8"))
        return record["figures"][f"nbval, chapter {number:02d}"]["value"]
    except (OSError, ValueError, KeyError):
        return None


def _words(notebook: Any) -> int:
    """Words of prose: Markdown cells without code, tags and addresses."""
    if not notebook.exists():
        return 0
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    prose = re.sub(r"```.*?```|<[^>]*>|\]\([^)]*\)|https?://\S+", " ", prose, flags=re.DOTALL)
    return len(WORD.findall(prose))


def _entries(file: Path, key: str) -> int:
    """How many entries a YAML file lists under a key; none where there is no such file."""
    import yaml

    if not file.exists():
        return 0
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return len(content[key] if isinstance(content, dict) else content or [])


def as_text(found: dict[str, Any]) -> str:
    """The answer of `collect` for a reader."""
    now = found["running"]
    things = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in now["things"].items() if count)
    lines = [
        f"Docker engine   {now['engine'] or 'none answers'}",
        f"Local AWS       {now['local_aws'] or 'not running'}",
        f"Backend         {now['backend_is']}",
        f"JupyterLab      {now['jupyterlab'] or 'not running'}",
        f"In the engine   {things or 'nothing of the course'}",
        "",
        f"{'chapter':<34}{'minutes':>8}{'runs in':>9}{'words':>8}"
        f"{'exercises':>11}{'wrong':>7}{'questions':>11}{'pictures':>10}",
    ]
    for row in found["chapters"]:
        name = f"{row['number']:02d} {row['slug']}"
        if row["state"] != "ready":
            lines.append(f"{name:<34}{'to come':>8}")
            continue
        seconds = "-" if row["measured_seconds"] is None else f"{row['measured_seconds']:.0f} s"
        lines.append(
            f"{name:<34}{row['minutes']:>8}{seconds:>9}{row['words']:>8}{row['exercises']:>11}{row['wrong_states']:>7}"
            f"{row['questions']:>11}{row['pictures']:>10}"
        )
    return "\n".join([*lines, "", *_backends_as_text(found["chapters"])])


def _backends_as_text(rows: list[dict[str, Any]]) -> list[str]:
    """What each chapter needs of the local AWS, and which backend lacks some of it."""
    from labs.cloud.backends import table

    names = list(table.OFFERS)
    lines = [f"{'chapter':<34}{''.join(f'{name:<12}' for name in names)}needs"]
    for row in rows:
        marks = "".join(f"{'part' if row['lacks'][name] else 'yes':<12}" for name in names)
        lines.append(f"{row['number']:02d} {row['slug']:<31}{marks}{', '.join(row['needs']) or 'nothing'}")
    for name in names:
        lacks = sorted({one for row in rows for one in row["lacks"][name]})
        if lacks:
            lines.append(f"Not on {name}: {', '.join(lacks)}.")
    return lines
