"""What the pages of docs/ name by file or by module and name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
PACKAGES = ("pycurl_redox", "tcpip", "virtio", "tls")
FOLDERS = (*PACKAGES, "tests", "docs", "benchmarks", "scripts", "examples")

IN_BACKTICKS = re.compile(r"`([^`\s]+)`")
A_FILE = re.compile(r"[\w/.-]+\.(?:py|md)")
A_NAME = re.compile(r"([a-z_0-9]+)\.([A-Za-z_][\w.]*)")


def sources() -> dict[str, str]:
    """The text of all modules of the product of one name, together."""
    texts: dict[str, str] = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            texts[file.stem] = texts.get(file.stem, "") + file.read_text()
    return texts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_names_in_the_text_exist(page: Path) -> None:
    files = ["/" + str(f.relative_to(ROOT)) for folder in FOLDERS for f in (ROOT / folder).rglob("*.*")]
    texts, missing = sources(), []
    for reference in IN_BACKTICKS.findall(page.read_text()):
        if A_FILE.fullmatch(reference):
            if not any(file.endswith("/" + reference) for file in files):
                missing.append(reference)
        elif (found := A_NAME.fullmatch(reference)) and found[1] in texts:
            words = found[2].split(".")
            if not all(re.search(rf"\b{word}\b", texts[found[1]]) for word in words):
                missing.append(reference)
    missing = [each for each in missing if not each.startswith("net.ipv4.")]  # of the kernel
    assert not missing
