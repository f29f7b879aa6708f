"""Was the reason of a failure read from the container that failed?"""

from labs.kit import world
from labs.kit.verdict import Verdict, done, not_yet
from labs.start_here import lab

NAME = "start-report"
COMPLAINT = "cannot read /data/"


def check() -> Verdict:
    """Compare the parameter `start-report` with the exit code and the last line of the container `start-report`."""
    found = lab.containers(NAME)
    if not found:
        return not_yet("no_container", f"I see no container `{NAME}` with the label `course=containers-on-aws`.")
    report = found[0]
    code = report.attrs["State"]["ExitCode"]
    lines = report.logs().decode(errors="replace").strip().splitlines()
    complaint = f"{COMPLAINT}{report.attrs['Config']['Hostname']}.csv"
    if code != 3 or not lines or lines[-1] != complaint:
        return not_yet(
            "other_failure",
            f"`{NAME}` is {report.status} with exit code {code}, which is not the failure of the program in the task. "
            "Compare the command that the container got with the one in the task.",
        )
    if NAME not in lab.parameters():
        return not_yet("no_parameter", f"`{NAME}` failed as it should. Parameter Store has no parameter `{NAME}` yet.")
    answer = world.aws_client("ssm").get_parameter(Name=NAME, WithDecryption=True)["Parameter"]["Value"].strip()
    return _compare(answer, code, complaint)


def _compare(answer: str, code: int, line: str) -> Verdict:
    told_code, _, told_line = answer.partition(": ")
    if told_code != str(code):
        return not_yet(
            "wrong_code", f"The parameter begins with '{told_code}', which is not the exit code of `{NAME}`."
        )
    if told_line == line:
        return done(f"The parameter says what `{NAME}` says: exit code {code}, and its own last line.")
    if told_line.startswith(COMPLAINT) and "$" not in told_line:
        return not_yet(
            "other_run",
            f"The parameter names another host than this `{NAME}` does. It may come from an earlier run.",
        )
    return not_yet(
        "wrong_line", f"The exit code is right. The text after it is not the last line that `{NAME}` printed."
    )


def reset() -> None:
    """Remove the container and the parameter."""
    lab.remove_containers(NAME)
    lab.remove_parameters()
