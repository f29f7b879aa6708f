"""Reading the course's content, which is YAML; a file that cannot be read is told of with its line."""

from pathlib import Path
from typing import Any


def read(path: Path, loader: Any = None) -> Any:
    """What a YAML file holds.

    Args:
        path: the file.
        loader: a loader of PyYAML, for what the safe one reads otherwise than wanted.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no YAML; the message names the file and the line.
    """
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader or yaml.SafeLoader)  # noqa: S506 (safe ones)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or error
        raise ValueError(
            f"{path} is no valid YAML{where}: {why}. A text with a colon and a space in it needs quotes."
        ) from error
