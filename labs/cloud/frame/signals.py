"""Hints between services of ours: 'something about this has changed, look again'. They carry a name and no state."""

from collections import defaultdict
from collections.abc import Callable

EC2_INSTANCES = "ec2-instances"  # with an EC2 instance's id: it was started, stopped or terminated
TARGET_HEALTH = "target-health"  # with the target group's ARN
IMAGE_PUSHED = "image-pushed"  # with the ARN of a repository of ECR


class Signals:
    """Who wants to hear of what. Listeners are called at once, on the event loop, and must not block."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Callable[[str], None]]] = defaultdict(list)

    def listen(self, topic: str, listener: Callable[[str], None]) -> None:
        """Calls `listener(name)` at each signal of the topic."""
        self._listeners[topic].append(listener)

    def send(self, topic: str, name: str) -> None:
        """Tells that something about `name` has changed."""
        for listener in self._listeners[topic]:
            listener(name)
