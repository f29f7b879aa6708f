"""What a notebook imports: `from labs.kit import open_chapter`. Heavy libraries load when they are first used."""

from labs.kit.chapter import open_chapter

__all__ = ["open_chapter"]
