"""The course as a whole on this machine: started, stopped, reset."""

import shutil
from contextlib import nullcontext
from pathlib import Path

from labs import settings
from labs.cloud import server
from labs.machine import (
    base_image,
    console,
    engine,
    engine_advice,
    engine_setup,
    inventory,
    jupyter,
    test_run,
    workspace,
)


def start(*, port: int | None = None, browser: bool = True) -> int:
    """Brings everything up that is not up yet, and opens the first notebook.

    What cannot be had (Docker, the base image, the local AWS) is said, and the course opens all the same: chapters
    that need none of it work, the others say what they lack.

    Args:
        port: the port of JupyterLab; a free one if left out.
        browser: whether to open a browser.

    Returns:
        The exit code: 0 if everything is up, 3 if the course is open but something is missing.
    """
    troubles = [*prepare_engine(), *start_local_aws()]
    for change in workspace.refresh():
        if change.message:
            console.say(change.message)
    url, sentence = jupyter.ensure_running(port)
    console.say(sentence)
    opened = browser and jupyter.open_browser(url)
    console.say("")
    for trouble in troubles:
        console.say(f"Missing: {trouble}\n")
    console.say(f"The course is open{' in your browser' if opened else ''}: {url}")
    console.say("It goes on when you close this terminal. To end it: python3 -m labs stop")
    return 3 if troubles else 0


def prepare_engine() -> list[str]:
    """Finds or installs a Docker engine and prepares the base image. Returns what is missing, a sentence each."""
    found, sentence = engine_setup.ensure()
    if found is None:
        return [sentence]
    console.say(f"Docker: {sentence}")
    from docker.errors import DockerException

    try:
        test_run.settle()
        image = base_image.ensure()
    except DockerException as error:
        return [f"The base image could not be prepared: the engine says: {error}"]
    if image.how is None:
        return [image.message]
    console.say(f"Base image: {image.message}")
    return []


def start_local_aws() -> list[str]:
    """Starts the local AWS if it does not run. Returns what is missing, a sentence each."""
    if settings.chosen_backend().get("backend") == settings.backend() == "aws":
        from labs.machine import account

        console.say(account.warning())
    try:
        with nullcontext() if server.health() else console.step("Starting the local AWS"):
            started = server.ensure_running()
    except server.CloudError as error:
        return [str(error)]
    console.say(f"Local AWS: {started.message} ({settings.gateway_url()})")
    return []


def stop() -> int:
    """Ends JupyterLab, the local AWS, the course's containers and networks, and a daemon that we started.

    Returns:
        The exit code: 0 if nothing is left running.
    """
    sentences = [jupyter.stop()]
    troubles: list[str] = []
    try:
        sentences.append(server.stop())
    except server.CloudError as error:
        troubles.append(str(error))
    if engine.use():
        gone, stuck = inventory.remove(inventory.find(("container", "network")))
        sentences.append(f"Removed from Docker: {inventory.summary(gone)}." if gone else None)
        troubles += stuck
        sentences.append(engine_setup.stop_own_daemon())
    for sentence in filter(None, sentences):
        console.say(sentence)
    for trouble in troubles:
        console.complain(trouble)
    if settings.backend() == "aws":
        console.say("In the real account everything goes on and costs: `python3 -m labs clean_up` removes it.")
    console.say("" if troubles else "The course is stopped. Your notebooks and your progress are kept.")
    return 1 if troubles else 0


def reset(*, everything: bool = False) -> int:
    """Removes what the course has made in Docker and in the local AWS. Notebooks and progress survive.

    Args:
        everything: also the base image, if it was built here.

    Returns:
        The exit code: 0 if nothing is left.
    """
    was_running = server.health() is not None
    troubles: list[str] = []
    try:
        server.stop()
        for folder in settings.data_dir().glob("cloud*"):
            _forget(folder)
    except server.CloudError as error:
        troubles.append(str(error))
    if engine.use():
        gone, stuck = inventory.remove(inventory.find())
        console.say(f"Removed from Docker: {inventory.summary(gone)}.")
        troubles += stuck
        if everything:
            console.say(_remove_base_image())
    else:
        troubles.append(engine_advice.missing_sentence())
    if was_running and not troubles:
        troubles += start_local_aws()
    for trouble in troubles:
        console.complain(trouble)
    if not troubles and settings.backend() == "aws":
        console.say(
            "In the real account all is as it was: `python3 -m labs clean_up` removes what the course made there."
        )
    elif not troubles:
        console.say(
            "The local AWS is empty, and nothing of the course is left in Docker. Notebooks and progress are kept."
        )
    return 1 if troubles else 0


def _forget(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _remove_base_image() -> str:
    if not base_image.made_here():
        return f"{settings.BASE_IMAGE} was not built here, so it is kept."
    from docker.errors import APIError

    with engine.client() as api:
        try:
            api.remove_image(settings.BASE_IMAGE)
        except APIError as error:
            return f"{settings.BASE_IMAGE} is kept: {error.explanation or error}"
    return f"{settings.BASE_IMAGE}, which was built here, is removed."
