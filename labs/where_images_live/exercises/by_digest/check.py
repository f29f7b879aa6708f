"""Does version 1 run by its digest, while its tag leads to another image?"""

from docker.models.containers import Container

from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet
from labs.where_images_live import look

NAME = "reg-old"
REPOSITORY = "reg-old-app"
RUN = "reg-old-run"
TAG = "1.0"


def check() -> Verdict:
    """Look at the registry, at its tag, then at the name by which the container was started."""
    registry = look.registry(NAME)
    if isinstance(registry, str):
        return not_yet("no_registry", registry)
    now = registry.digest(REPOSITORY, TAG)
    if not now:
        return not_yet("nothing_pushed", f"The registry has no {REPOSITORY}:{TAG} yet.")
    container = world.container(RUN)
    if container is None:
        return not_yet("not_run", f"The tag {TAG!r} is in the registry. There is no container {RUN!r} yet.")
    return _container(container, registry, now)


def reset() -> None:
    """Remove the registry, the container and the images."""
    remove_docker.everything(NAME)


def _container(container: Container, registry: look.Registry, now: str) -> Verdict:
    if look_docker.state(container) != "running":
        return not_yet("ended", f"The container {RUN!r} does not run. {look_docker.how_it_ended(container)}")
    name = container.attrs["Config"]["Image"]
    repository, _, digest = name.partition("@")
    if not digest:
        return not_yet("by_tag", f"The container was started as {name!r}: no name that holds a digest of the registry.")
    if repository.rpartition("/")[2].partition(":")[0] != REPOSITORY:
        return not_yet("elsewhere", f"{repository!r} is not the repository {REPOSITORY!r} of your registry.")
    if digest == now or look_docker.environment(container).get("APP_VERSION") != "1":
        return not_yet("new_one", f"It runs by digest, but not version 1 after {TAG!r} moved away from it.")
    if not registry.digest(REPOSITORY, digest):
        return not_yet("elsewhere", f"The registry {NAME!r} has no image with the digest that runs.")
    return done(f"{TAG!r} leads to another image by now, and the old one runs: its digest cannot move.")
