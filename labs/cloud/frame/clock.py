"""What time it is, and how fast a lesson runs.

AWS's own fixed waits are shortened by `LESSON_SPEED`; whatever a learner sets lasts as long as it says, except for what
auto scaling and shifts of traffic wait for: there a minute is 3 s, or a lesson would last for hours. The waits:

| wait                                                          | on AWS | here  |
|---------------------------------------------------------------|--------|-------|
| a task without a health check counts as healthy after RUNNING | 40 s   | 2 s   |
| longest wait between tries of a task that keeps failing       | 15 min | 45 s  |
| stopped tasks are listed for                                  | 1 h    | 1 h   |
| a deleted task definition that nothing uses is still told for | 1 h    | 3 min |
| ECS measures what tasks use                                   | 1 min  | 3 s   |
| an alarm that scales looks at its metric, for a period of 60 s | 1 min  | 3 s   |
| a target tracking policy wants more after 3 periods above     | 3 min  | 9 s   |
| a target tracking policy wants less after 15 periods below    | 15 min | 45 s  |
| cooldown of a scaling policy, for 300 s                       | 5 min  | 15 s  |
| warm-up of new instances, for 300 s                           | 5 min  | 15 s  |
| an Auto Scaling group looks at the health of its instances    | 1 min  | 3 s   |
| an Auto Scaling group tries again after a launch that failed  | 1 min  | 3 s   |
| longest wait between such tries                               | 15 min | 45 s  |
| ECS tells how many instances a capacity provider needs        | 1 min  | 3 s   |
| a task waits for room with a capacity provider                | 30 min | 90 s  |
| warning before a task on Fargate Spot is gone                 | 2 min  | 6 s   |
| CloudFormation waits for an ECS service to become steady      | 3 h    | 9 min |
| a minute of bake time of a deployment, or of its hooks' time  | 1 min  | 3 s   |
| a hook that is in progress is asked again                     | 30 s   | 1.5 s |
| the alarms of a deployment are looked at                      | 1 min  | 3 s   |
| an agent that is not heard of counts as disconnected          | 90 s   | 4.5 s |
| systemd starts an agent that has ended again                  | 10 s   | 0.5 s |
| App Runner has an instance start before its checks count      | 1 min  | 3 s   |
| App Runner takes instances away that are not needed           | 5 min  | 15 s  |
| a deleted service of App Runner is still told of              | 1 h    | 3 min |
"""

import time
from datetime import UTC, datetime

LESSON_SPEED = 20.0


def now() -> float:
    """Seconds since the epoch, to the millisecond, as AWS's JSON protocols write a time."""
    return round(time.time(), 3)


def lesson(seconds: float) -> float:
    """A wait that AWS has fixed for itself, in seconds of a lesson."""
    return seconds / LESSON_SPEED


def iso(seconds: float) -> str:
    """A time as AWS's events write it, e.g. `2026-11-22T10:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
