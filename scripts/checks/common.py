# SPDX-License-Identifier: Apache-2.0
"""What the check scripts share: the list of files, C++ without comments, the report."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CXX_SUFFIXES = {".h", ".cc", ".c"}


def tracked_files():
    """Paths relative to ROOT of all files that git tracks or would track."""
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True).stdout
    names = sorted(set(out.decode().split("\0")) - {""})
    return [pathlib.PurePosixPath(name) for name in names if (ROOT / name).is_file()]


def cxx_files():
    return [path for path in tracked_files() if path.suffix in CXX_SUFFIXES]


def is_test(path):
    return path.parts[0] == "tests" or path.stem.endswith(("_test", "_testing", "_selftest_main"))


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="surrogateescape")


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL)


def _blank(match):
    text = match.group(0)
    if text.startswith(("//", "/*")):
        return re.sub(r"[^\n]", " ", text)
    body = re.sub(r"[^\n]", " ", text)
    return '"' + body[1:-1] + '"' if len(body) > 1 else text


def code_only(text):
    """The text with comments, strings and character literals blanked; line numbers stay."""
    return _TOKEN.sub(_blank, text)


def includes(text):
    """(line, opening, name) of every include directive."""
    pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
    return [(text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2))
            for match in pattern.finditer(text)]


class Report:
    """Collects findings; finish() prints them and gives the exit code."""

    def __init__(self, name):
        self.name = name
        self.findings = []

    def add(self, path, line, message):
        self.findings.append(f"{path}:{line}: {message}" if line else f"{path}: {message}")

    def finish(self, summary):
        for finding in self.findings:
            print(finding)
        if self.findings:
            print(f"{self.name}: FAILED, {len(self.findings)} finding(s)")
            sys.exit(1)
        print(f"{self.name}: ok, {summary}")
