"""The manual says something of every option, and its pages are well formed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pycurl_redox.completion import FILES, FOLDERS, completions
from pycurl_redox.help import shown_options
from pycurl_redox.manual import man_pages, manual_text, option_title
from pycurl_redox.option_table import all_options, shown_name
from pycurl_redox.option_texts import TEXTS
from pycurl_redox.writeout import LATER_VARIABLES, VARIABLES


def test_every_shown_option_has_a_paragraph_and_every_paragraph_an_option() -> None:
    assert {shown_name(row) for row in shown_options()} <= set(TEXTS)
    assert set(TEXTS) <= {shown_name(row) for row in all_options()}


def test_a_paragraph_is_one_and_refers_to_options_that_there_are() -> None:
    for name, (text, see_also) in TEXTS.items():
        assert (text.endswith(".") and text[0].isupper()) or text.startswith("--"), name
        assert "\n" not in text
        assert see_also and set(see_also.split()) <= set(TEXTS) - {name}, name


def test_the_manual_has_every_option_variable_and_exit_code() -> None:
    text = manual_text()
    lines = text.splitlines()
    assert lines[0] == "NAME" and max(map(len, lines)) <= 79
    for row in shown_options():
        assert " " * 7 + option_title(row) in lines
    for name in VARIABLES.keys() | LATER_VARIABLES.keys():
        # Nobody who speaks HTTP has use for that one.
        assert f"%{{{name}}}" in text or name == "ftp_entry_path"
    for code in ("0", "3", "22", "37", "63", "90"):
        assert " " * 7 + code in lines


def test_what_is_not_built_in_is_not_explained() -> None:
    lines = manual_text().splitlines()
    for row in all_options():
        if row not in shown_options():
            assert " " * 7 + option_title(row) not in lines


@pytest.mark.parametrize("name", ["redox-curl.1", "redox-ping.1", "redox-netcfg.1"])
def test_man_pages_are_well_formed(name: str, tmp_path: Path) -> None:
    lint = shutil.which("mandoc")
    if lint is None:
        pytest.skip("mandoc is not installed")
    page = tmp_path / name
    page.write_text(man_pages()[name])
    done = subprocess.run([lint, "-T", "lint", "-W", "style", str(page)], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_a_man_page_shows_the_text_with_its_backslashes_and_quotes(tmp_path: Path) -> None:
    reader = shutil.which("mandoc")
    if reader is None:
        pytest.skip("mandoc is not installed")
    page = tmp_path / "redox-curl.1"
    page.write_text(man_pages()["redox-curl.1"])
    shown = subprocess.run(
        [reader, "-T", "ascii", "-O", "width=200", str(page)], capture_output=True, text=True, check=True
    ).stdout
    words = re.sub(".\b", "", shown).split()  # what is struck twice is bold
    assert "\\\\{{" not in words and "\\{{" in words
    for word in ("--variable", "@file", "server's", ".curlrc", "%{header_json}"):
        assert any(word in found for found in words), word


def test_the_builder_needs_nothing_that_is_installed() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pycurl_redox.completion import completions\n"
        "from pycurl_redox.manual import man_pages\n"
        "assert len(man_pages()) + len(completions()) == 6\n"
        "print(*(name for name in sys.modules if name in ('h11', 'cryptography', 'idna')))"
    )
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, root], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_completions_know_options_that_there_are() -> None:
    names = {row[0] for row in all_options()}
    assert names >= FILES | FOLDERS
    assert all(text.endswith("\n") for text in completions().values())
