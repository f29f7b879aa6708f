"""Did a container say one word and end well?"""

from labs.kit import world
from labs.kit.verdict import Verdict, done, not_yet
from labs.start_here import lab

NAME = "start-hello"


def check() -> Verdict:
    """Look at the container `start-hello`: its label, how it ended, what it printed."""
    found = world.container(NAME)
    if found is None:
        return not_yet("no_container", f"I see no container named `{NAME}`, neither running nor ended.")
    if not world.ours(found):
        return not_yet(
            "no_label",
            f"`{NAME}` is there, but without the label `course=containers-on-aws`, and a label cannot be added later. "
            "The course never removes what lacks it: remove this container yourself, then run it again with the label.",
        )
    return _ended_well(found)


def _ended_well(found) -> Verdict:
    code = found.attrs["State"]["ExitCode"]
    if code == 127:
        return not_yet(
            "command_not_found",
            f"`{NAME}` ended with exit code 127: no program of the name you gave was found. Look at the command.",
        )
    if found.status == "created":
        return not_yet("not_started", f"`{NAME}` has been created but never started, so it has said nothing yet.")
    if found.status == "running":
        return not_yet("still_running", f"`{NAME}` is still running. Its command should print the word and then end.")
    if code != 0:
        return not_yet(
            "failed", f"`{NAME}` ended with exit code {code}; 0 means without an error. Its logs may say why."
        )
    return _one_word(found.logs(stdout=True, stderr=False).decode(errors="replace").split())


def _one_word(said: list[str]) -> Verdict:
    if not said:
        return not_yet("silent", f"`{NAME}` ended well but printed nothing. Which command prints a word?")
    if len(said) > 1:
        return not_yet("more_than_a_word", f"`{NAME}` printed {len(said)} words. The task asks for exactly one.")
    return done(f"`{NAME}` said '{said[0]}', ended with exit code 0 and carries the course's label.")


def reset() -> None:
    """Remove the container, if it is the course's."""
    lab.remove_containers(NAME)
