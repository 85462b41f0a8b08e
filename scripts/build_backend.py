"""The build: setuptools, after the man pages and completions are made from the table of options.

They go into `build/share`, the wheel's data files in pyproject.toml; editable installs have them too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)
from setuptools.dist import Distribution

ROOT = Path(__file__).resolve().parents[1]
Settings = Mapping[str, Any] | None

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def build_wheel(folder: str, settings: Settings = None, metadata: str | None = None) -> str:
    """PEP 517."""
    make_shared_files(ROOT / "build")
    return str(build_meta.build_wheel(folder, settings, metadata))


def build_editable(folder: str, settings: Settings = None, metadata: str | None = None) -> str:
    """PEP 660."""
    make_shared_files(ROOT / "build")
    # What setuptools asks before it puts data files into an editable wheel, and has under another name only.
    Distribution.has_data = Distribution.has_data_files
    return str(build_meta.build_editable(folder, settings, metadata))


def build_sdist(folder: str, settings: Settings = None) -> str:
    """PEP 517."""
    make_shared_files(ROOT / "build")
    return str(build_meta.build_sdist(folder, settings))


def make_shared_files(folder: Path) -> None:
    """Write what goes below a prefix's `share`."""
    sys.path.insert(0, str(ROOT))
    try:
        from pycurl_redox.completion import completions
        from pycurl_redox.manual import man_pages

        files = completions()  # while the path is there: they import more when they are called
        files.update({f"share/man/man1/{name}": text for name, text in man_pages().items()})
    finally:
        sys.path.remove(str(ROOT))
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
