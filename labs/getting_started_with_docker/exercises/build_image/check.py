"""The image dock-tally:1: does it carry the job, its data, its default and the right start, by running it?"""

import secrets
import subprocess
import sys

from docker.errors import APIError

from labs import settings
from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

TAG = "dock-tally:1"
DEFAULT_RATE = 20
PATIENCE = 5  # seconds; the job takes a fraction of one


def check() -> Verdict:
    image = world.image(TAG)
    if image is None:
        return not_yet("no_image", f"There is no image {TAG} yet.")
    if complaint := look_docker.unlabelled(image, f"The image {TAG}"):
        return not_yet(
            "label_missing", f"{complaint} It comes from a line of the Dockerfile, and the last such line wins."
        )
    return _as_it_is(image.attrs["Config"]["Cmd"] or []) or _with_a_rate_of_its_own()


def reset() -> None:
    remove_docker.everything(TAG)


def _as_it_is(command: list[str]) -> Verdict | None:
    """Start the image as it is. None when it does what the task says."""
    try:
        ended = look_docker.run_to_end("dock-", TAG, PATIENCE)
    except APIError as problem:
        return not_yet(
            "program_not_found",
            f"The engine cannot start the image's command: {problem.explanation or problem}. "
            "Is the program that CMD names installed in the image?",
        )
    if ended.code is None:
        return not_yet(
            "never_ends",
            "The job still runs after some seconds. A batch job does its work and ends; "
            "what else does the image's command start?",
        )
    if ended.code != 0:
        return _failure(command, ended)
    if not ended.output:
        return not_yet(
            "prints_nothing",
            f"A container from {TAG} ends at once and prints nothing. What does the image start when nobody says?",
        )
    if ended.output != _expected(DEFAULT_RATE):
        return not_yet(
            "wrong_total",
            f"By default the image prints “{ended.output}”; with a tax of {DEFAULT_RATE} % it should be another line.",
        )
    return None


def _with_a_rate_of_its_own() -> Verdict:
    """Give a rate that nobody could know beforehand: the work has to be done when the container runs."""
    rate = DEFAULT_RATE + 1 + secrets.randbelow(60)
    ended = look_docker.run_to_end("dock-", TAG, PATIENCE, environment={"RATE": str(rate)})
    if ended.output != _expected(rate):
        return not_yet(
            "done_at_build",
            f"With RATE={rate} the container still prints “{ended.output}”: the tax of the environment changes "
            "nothing. Was the sum made while the image was built?",
        )
    return done(f"{TAG} adds up the orders by itself: {DEFAULT_RATE} % tax by default, and any other rate on demand.")


def _failure(command: list[str], ended: look_docker.Ended) -> Verdict:
    last = (ended.errors or ended.output or "(it wrote nothing)").splitlines()[-1]
    if command[:2] == ["/bin/sh", "-c"] and command[-1].startswith("["):
        return not_yet(
            "quotes",
            f"The container ends with code {ended.code}: {last}. Docker took the whole list for a shell command, "
            "because it is no valid JSON. Look at its quotes.",
        )
    if "RATE is not set" in ended.errors:
        return not_yet(
            "rate_missing", f"The job ends with code {ended.code}: {last} The image has no default for this variable."
        )
    return not_yet("job_fails", f"The job ends with code {ended.code}. Its last line: {last}")


def _expected(rate: int) -> str:
    """What the real program prints on this machine for a rate in percent."""
    job = settings.LABS / "getting_started_with_docker" / "job" / "tally.py"
    result = subprocess.run(
        [sys.executable, str(job)], env={"RATE": str(rate)}, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()
