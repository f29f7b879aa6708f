"""The learner's own copies of the notebooks. A copy that the learner has changed is never overwritten."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labs import settings
from labs.machine import files

RECORD = ".originals.json"


@dataclass(frozen=True)
class Change:
    """What was done for one notebook.

    Args:
        how: `copied`; `replaced` (an unchanged copy by a newer original); `offered` (a newer original beside it).
        name: the file in the work folder that was written.
        message: a sentence for the learner, empty for a first copy.
    """

    how: Literal["copied", "replaced", "offered"]
    name: str
    message: str = ""


def refresh(originals: Path = settings.NOTEBOOKS, work: Path | None = None) -> list[Change]:
    """Brings the work folder in step with the originals.

    What counts as a change is the source of the cells, not outputs or other data that running a notebook leaves.

    Args:
        originals: the folder of the course's notebooks.
        work: the folder of the copies; `settings.work_dir()` if left out.

    Returns:
        What was done; empty when there was nothing to do.
    """
    work = settings.work_dir() if work is None else work
    work.mkdir(parents=True, exist_ok=True)
    seen = files.read_json(work / RECORD)
    seen = dict(seen) if isinstance(seen, dict) else {}
    before = dict(seen)
    changes = [change for path in sorted(originals.glob("*.ipynb")) if (change := _refresh_one(path, work, seen))]
    if seen != before:
        files.write_atomic(work / RECORD, json.dumps(seen, indent=1, sort_keys=True) + "\n", mode=0o644)
    return changes


def _refresh_one(original: Path, work: Path, seen: dict[str, str]) -> Change | None:
    """One notebook. `seen` (name to digest of the original last taken or offered) is brought up to date."""
    copy = work / original.name
    new = digest(original)
    if new is None:  # an original that is broken: leave everything as it is
        return None
    mine = digest(copy) if copy.exists() else None
    last = seen.get(original.name)
    seen[original.name] = new
    if not copy.exists():
        _copy(original, copy)
        return Change("copied", copy.name)
    if new in (mine, last):
        return None
    if mine is not None and mine == last:
        _copy(original, copy)
        return Change(
            "replaced", copy.name, f"{copy.name} has a newer version; you had not changed it, so it is in place."
        )
    offer = _free_name(copy, new, seen)
    if not offer.exists() or digest(offer) != new:
        _copy(original, offer)
    seen[offer.name] = new
    return Change(
        "offered",
        offer.name,
        f"{original.name} has a newer version. You have changed yours, so it is left alone; "
        f"the new one is beside it: {offer.name}.",
    )


def _free_name(copy: Path, new: str, seen: dict[str, str]) -> Path:
    """Where a newer original may be put beside the learner's copy without overwriting anything they have changed."""
    for number in range(1, 1000):
        offer = copy.with_suffix(".new.ipynb" if number == 1 else f".new-{number}.ipynb")
        if not offer.exists() or digest(offer) in (new, seen.get(offer.name, "")):
            return offer
    raise OSError(f"too many versions beside {copy}")


def digest(notebook: Path) -> str | None:
    """A digest of the kinds and sources of a notebook's cells; None if the file is no notebook (any more)."""
    content = files.read_json(notebook)
    try:
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in content["cells"]]
    except (TypeError, KeyError):
        return None
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _copy(original: Path, target: Path) -> None:
    files.write_atomic(target, original.read_text(encoding="utf-8"), mode=0o644)
