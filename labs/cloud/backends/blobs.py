"""Big values of saved state (image layers) in files of their own, named by their content: each is written once."""

import hashlib
from pathlib import Path
from typing import Any

MINIMUM = 64 * 1024  # bytes; smaller values stay in the JSON file
KEY = "__course_blob__"


class Blobs:
    """A folder of big values.

    Args:
        folder: where they lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[tuple[int, int], str] = {}  # Python keeps a bytes object's hash, so this look-up is cheap

    def put(self, value: object) -> dict[str, str] | None:
        """What stands for a big value in JSON, once it is in its file; None for everything else.

        Raises:
            OSError: the file cannot be written.
        """
        if not isinstance(value, bytes) or len(value) < MINIMUM:
            return None
        key = (len(value), hash(value))
        name = self._names.get(key) or hashlib.sha256(value).hexdigest()
        path = self._folder / name
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_bytes(value)
            fresh.replace(path)
        self._names[key] = name
        return {KEY: name}

    def get(self, value: dict[str, Any]) -> bytes | None:
        """The big value that a JSON object stands for; None if it is no such object.

        Raises:
            OSError: the file is gone.
        """
        name = value.get(KEY)
        if name is None:
            return None
        content = (self._folder / name).read_bytes()
        self._names[len(content), hash(content)] = name
        return content

    def sweep(self) -> None:
        """Removes what nothing stands for any more: all that was neither put nor got since the start."""
        if self._folder.is_dir():
            known = set(self._names.values())
            for path in self._folder.iterdir():
                if path.name not in known:
                    path.unlink()
