"""How many instances a service is to have: by the requests that it answers at once.

https://docs.aws.amazon.com/apprunner/latest/dg/manage-autoscaling.html
"""

from collections import deque
from math import ceil

from labs.cloud.frame import clock

DOWN_SECONDS = 300.0  # of AWS: how long there must have been fewer requests before instances go


class Scaler:
    """The requests of one service in the last time."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def size(self, concurrency: int, most: int, least: int, largest: int, now: float) -> int:
        """How many instances are wanted. More come at once, fewer when they were enough for a while.

        Args:
            concurrency: requests that are answered or wait now.
            most: how many requests an instance gets at once.
            least: MinSize.
            largest: MaxSize.
            now: seconds since the epoch.
        """
        self._seen.append((now, ceil(concurrency / most)))
        while self._seen[0][0] < now - clock.lesson(DOWN_SECONDS):
            self._seen.popleft()
        wanted = max(size for _, size in self._seen)
        return min(max(wanted, least), largest)
