"""Is the amber container stopped, and only that one?"""

from labs.kit.verdict import Verdict, done, not_yet
from labs.start_here import lab

COLOURS = ("red", "amber", "green")
NAMES = tuple(f"start-{colour}" for colour in COLOURS)


def check() -> Verdict:
    """Look at the three containers: there, labelled, and which of them run."""
    found = {c.name: c for c in lab.containers(*NAMES)}
    if not found:
        return not_yet(
            "no_containers", "I see none of the three among the containers with the label `course=containers-on-aws`."
        )
    if missing := [name for name in NAMES if name not in found]:
        return not_yet(
            "missing",
            f"Among the containers with the label `course=containers-on-aws` I miss `{'`, `'.join(missing)}`. "
            "A stopped container is still there, a removed one is not.",
        )
    for colour in COLOURS:
        seen = found[f"start-{colour}"].labels.get("start.colour")
        if seen != colour:
            what = "no label" if seen is None else f"the value '{seen}' in its label"
            return not_yet("colour_label", f"`start-{colour}` has {what} `start.colour`; it should be '{colour}'.")
    return _only_amber_stopped({name: c.status for name, c in found.items()}, found)


def _only_amber_stopped(status: dict[str, str], found: dict) -> Verdict:
    ended = [name for name in NAMES if status[name] == "exited"]
    if "start-amber" in ended and found["start-amber"].attrs["State"]["ExitCode"] == 0:
        return not_yet(
            "ended_alone",
            "`start-amber` has ended by itself with exit code 0; nobody stopped it. What keeps a container running?",
        )
    if len(ended) == len(NAMES):
        return not_yet(
            "all_stopped", "All three are stopped. The search found more than the amber one: what did it filter by?"
        )
    if "start-amber" not in ended and ended:
        return not_yet(
            "wrong_one",
            f"`{ended[0]}` is stopped and `start-amber` is {status['start-amber']}. It should be the other way round.",
        )
    if "start-amber" not in ended:
        return not_yet(
            "none_stopped", f"All three are there, but `start-amber` is {status['start-amber']}, not stopped."
        )
    if others := [name for name in NAMES if name != "start-amber" and status[name] != "running"]:
        return not_yet(
            "another_too",
            f"`start-amber` is stopped, but `{others[0]}` is {status[others[0]]}. The other two should run.",
        )
    return done("`start-amber` is stopped; `start-red` and `start-green` are still running.")


def reset() -> None:
    """Remove the three containers."""
    lab.remove_containers(*NAMES)
