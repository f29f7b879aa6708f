"""Is there a tagged queue with a message in it?"""

from labs import settings
from labs.kit import world
from labs.kit.verdict import Verdict, done, not_yet
from labs.start_here import lab

QUEUE = "start-mailbox"
KEY, VALUE = "chapter", "start_here"
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


def check() -> Verdict:
    """Look at the queue `start-mailbox`: its tag, and how many messages are in it."""
    found = {url.rsplit("/", 1)[-1]: url for url in lab.queues()}
    if QUEUE not in found and found:
        return not_yet("other_name", f"I see the queue `{', '.join(sorted(found))}`, but none named exactly `{QUEUE}`.")
    if QUEUE not in found:
        return not_yet("no_queue", f"The local AWS has no queue `{QUEUE}` in the Region {settings.REGION}.")
    return _filled(found[QUEUE])


def _filled(url: str) -> Verdict:
    sqs = world.aws_client("sqs")
    tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    if KEY not in tags:
        seen = f"It has: {', '.join(sorted(tags))}." if tags else "It has none."
        return not_yet(
            "no_tag", f"`{QUEUE}` is there without a tag of the key `{KEY}`. {seen} Keys are case-sensitive."
        )
    if tags[KEY] != VALUE:
        return not_yet(
            "tag_value", f"The tag `{KEY}` of `{QUEUE}` has the value '{tags[KEY]}'; the task asks for another."
        )
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
    if not sum(int(counts.get(name, 0)) for name in COUNTS):
        return not_yet("empty", f"`{QUEUE}` is there with its tag, but no message is in it.")
    return done(f"`{QUEUE}` is there, carries its tag and holds a message.")


def reset() -> None:
    """Remove the queue, whatever is in it."""
    lab.remove_queues()
