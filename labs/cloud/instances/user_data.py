"""What user data says to the ECS agent: the lines that it would write into /etc/ecs/ecs.config.

User data is a program for the instance. It is read here, and never run: only the ways in which AWS's guide writes the
file are understood, `echo NAME=value >> /etc/ecs/ecs.config` and the here-document.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bootstrap_container_instance.html
"""

import base64
import binascii
import re
import shlex
from collections.abc import Iterator

FILE = "/etc/ecs/ecs.config"
_HEREDOC = re.compile(r"<<(-?)\s*(['\"]?)(\w+)\2")
_PROGRAM = re.compile(r"\$\(|`")  # a value that only a shell could work out is left out
_NAME = re.compile(r"(?:export\s+)?[A-Z][A-Z0-9_]*=")


def decode(text: str) -> str:
    """User data as EC2's API carries it, in base64. What is no base64 is taken as it is."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text


def configuration(script: str) -> str:
    """The content that ecs.config has after this user data, a variable a line."""
    found: list[str] = []
    lines = iter(script.splitlines())
    for line in lines:
        if FILE not in line:
            continue
        here = _HEREDOC.search(line)
        if here:
            found = _kept(line, found) + _until(lines, here[3], bool(here[1]))
        else:
            found = _kept(line, found) + _echoed(line)
    return "".join(f"{line}\n" for line in found if _NAME.match(line) and not _PROGRAM.search(line))


def _kept(line: str, before: list[str]) -> list[str]:
    """What was in the file before this line: `>>` and `tee -a` add to it, `>` begins anew."""
    adds = ">>" in line or re.search(r"\btee\s+(-a|--append)\b", line)
    return before if adds else []


def _until(lines: Iterator[str], mark: str, indented: bool) -> list[str]:
    found = []
    for line in lines:
        if line.strip() == mark if indented else line.rstrip() == mark:
            break
        found.append(line.strip())
    return found


def _echoed(line: str) -> list[str]:
    """The texts of the `echo` commands in a line of shell; none if the line cannot be read."""
    try:
        whole = shlex.split(line)
    except ValueError:
        return []
    texts: list[str] = []
    said: list[str] | None = None
    for word in whole:
        bare = word.lstrip("{(")
        if bare in ("echo", "printf"):
            said = []
        elif said is not None and (word in (";", "&&", "|", "}", ")") or word.startswith((">", "|"))):
            texts.append(" ".join(said))
            said = None
        elif said is not None and not (word in ("-e", "-n", "-E") and not said):
            ends = word.endswith(";") and not word.endswith("\\;")
            said.append(word.removesuffix(";"))
            if ends:
                texts.append(" ".join(said))
                said = None
    if said:
        texts.append(" ".join(said))
    return [part.strip() for text in texts for part in text.replace("\\n", "\n").splitlines()]
