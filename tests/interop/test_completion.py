"""Completion, in the shells it is for; more of it in `tests/cases/completion.txt`."""

import importlib.util
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pycurl_redox.completion import bash, categories, fish, zsh
from pycurl_redox.help import shown_options
from pycurl_redox.option_table import shown_name

pytestmark = pytest.mark.interop

BASH = shutil.which("bash")
ZSH = shutil.which("zsh")
FISH = shutil.which("fish")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a file", "apple", "pear"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "fruits").mkdir()
    return tmp_path


def in_bash(folder: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words, asked as bash asks: by COMP_WORDS."""
    if BASH is None:
        pytest.skip("bash is not installed")
    (folder / ".completion").write_text(bash())
    program = (
        "source .completion\n"
        "complete -p redox-curl | grep -q _redox_curl || exit 9\n"
        'COMP_WORDS=(redox-curl "$@"); COMP_CWORD=$#; _redox_curl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [BASH, "--norc", "-c", program, "bash", *words],
        cwd=folder, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.splitlines()) - {""}


def test_bash_completes_every_option_that_help_shows(folder: Path) -> None:
    offered = in_bash(folder, "-")
    for row in shown_options():
        assert f"--{shown_name(row)}" in offered
        assert not row[1] or f"-{row[1]}" in offered
    assert in_bash(folder, "--help", "") == set(categories())


def test_fish_completes_every_category(folder: Path) -> None:
    if FISH is None:
        pytest.skip("fish is not installed")
    (folder / "completion.fish").write_text(fish())
    done = subprocess.run(
        [FISH, "--no-config", "-c", "source completion.fish; complete -C 'redox-curl --help '"],
        cwd=folder, capture_output=True, text=True, timeout=30, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    assert done.stderr == ""
    assert {found.split("\t")[0] for found in done.stdout.splitlines()} == set(categories())


def test_zsh_completes(folder: Path) -> None:
    if ZSH is None:
        pytest.skip("zsh is not installed")
    (folder / "functions").mkdir()
    (folder / "functions" / "_redox-curl").write_text(zsh())
    setup = (
        "fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D; PS1='ready> '; LISTMAX=1000"
    )
    with Shell(ZSH, "-f", "-i", cwd=folder) as typed:
        typed.write(setup + "; print la''den\n")
        typed.until("laden")
        assert "--remote-name-all" in typed.after("redox-curl --remote-n\t\t", "--remote-name-all")
        typed.write("\x15")
        assert "apple" in typed.after("redox-curl -o app\t", "apple")
        typed.write("\x15")
        assert "PATCH" in typed.after("redox-curl -X P\t\t", "PATCH")


class Typed:
    """An interactive shell on a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen = ""

    def write(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def until(self, wanted: str, timeout: float = 20) -> str:
        """Read until the text has come; return all that came with it."""
        import select

        deadline = time.monotonic() + timeout
        while wanted not in self._seen:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self._descriptor], [], [], left)[0], (wanted, self._seen)
            piece = os.read(self._descriptor, 65_536).decode("utf-8", "replace")
            self._seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", piece)
        seen, self._seen = self._seen, ""
        return seen

    def after(self, text: str, wanted: str) -> str:
        self.write(text)
        return self.until(wanted)


class Shell:
    """Start a shell; `with` gives what types into it."""

    def __init__(self, *command: str, cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, start_new_session=True,
            env={**os.environ, "TERM": "vt100", "HOME": str(cwd)},
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Typed:
        return Typed(self._ours)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


def test_an_installed_package_has_its_pages_and_completions(tmp_path: Path) -> None:
    """The builder's own function, without the network that a whole build may want.

    With setuptools and nothing else, as pip builds: what is installed here must not help.
    """
    found = importlib.util.find_spec("setuptools")
    if found is None or found.origin is None:
        pytest.skip("setuptools is not installed")
    root = Path(__file__).resolve().parents[2]
    program = (
        "import sys; sys.path[:0] = sys.argv[1:3]; from build_backend import make_shared_files\n"
        "from pathlib import Path; make_shared_files(Path(sys.argv[3]))"
    )
    paths = [str(root / "scripts"), str(Path(found.origin).parents[1]), str(tmp_path)]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    named = set(re.findall(r'"build/(share/[^"]+)"', (root / "pyproject.toml").read_text()))
    assert {name for name in made if "/man/" not in name} == {name for name in named if "/man/" not in name}
    assert {name for name in made if "/man/" in name} == {
        f"share/man/man1/{page}.1" for page in ("redox-curl", "redox-ping", "redox-netcfg")
    }
