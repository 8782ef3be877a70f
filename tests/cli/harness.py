# SPDX-License-Identifier: Apache-2.0
"""Runs the built program in a folder of its own. LOCI_BIN names the program."""

import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("LOCI_BIN", "loci")
SOURCE = os.environ.get("LOCI_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
DATA = os.environ.get("LOCI_DATA", os.path.join(SOURCE, "..", "shared", "data"))

# Exit codes: docs/cli.md.
OK, FINDINGS, USAGE, INVALID, NOT_FOUND, EXISTS = 0, 1, 2, 3, 4, 5
STATE, BUSY, FULL, IO, CORRUPT, OTHER = 6, 7, 8, 9, 10, 11

NOTES = [
    {"id": "n1", "title": "Ownership", "body": "Memory safety without a garbage collector",
     "lang": "rust", "year": 2021},
    {"id": "n2", "title": "Templates", "body": "Generic code at compile time", "lang": "c++",
     "year": 1998},
    {"id": "n3", "title": "Parsers", "body": "A parser that never backtracks", "lang": "rust",
     "year": 2019, "tags": ["grammar", "speed"]},
]


class Run:
    """What one run of the program gave."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8")
        self.err = done.stderr.decode("utf-8", "replace")

    def lines(self):
        """The output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def one(self):
        """The output as one JSON object."""
        (line,) = self.lines()
        return line


class CliTest(unittest.TestCase):
    """A test in a folder of its own, with the database notes.db there."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loci-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        mode = "wb" if isinstance(content, bytes) else "w"
        kwargs = {} if mode == "wb" else {"encoding": "utf-8", "newline": ""}
        with open(self.path(name), mode, **kwargs) as file:
            file.write(content)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_loci(self, *args, stdin=b"", env=None, cwd=None):
        whole = {k: v for k, v in os.environ.items() if k not in ("LOCI_DB", "LOCI_LOG", "COLUMNS")}
        whole.update(env or {})
        done = subprocess.run([PROGRAM, *map(str, args)], input=stdin, capture_output=True,
                              cwd=cwd or self.folder, env=whole, timeout=240, check=False)
        return Run(done)

    def ok(self, *args, **kwargs):
        run = self.run_loci(*args, **kwargs)
        self.assertEqual(run.code, OK, f"{args}: {run.err}")
        return run

    def fails(self, code, *args, says=(), **kwargs):
        """The program must end with `code` and name every part of `says` on stderr."""
        run = self.run_loci(*args, **kwargs)
        self.assertEqual(run.code, code, f"{args}: {run.out} {run.err}")
        self.assertTrue(run.err.startswith("loci: "), run.err)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, run.err)
        return run

    def make_notes(self):
        self.write("notes.jsonl", "".join(json.dumps(note) + "\n" for note in NOTES))
        return self.ok("add", "notes", "notes.jsonl", "--text", "title,body", "--filter",
                       "lang:text,year:int")

    def dump(self):
        """Everything that the file holds, to compare before and after."""
        if not os.path.exists(self.path("loci.db")):
            return None
        out = {}
        for spec in self.ok("list", "--json").lines():
            rows = self.ok("list", spec["name"], "--limit", 0, "--archived", "--with-vectors",
                           "--json")
            out[spec["name"]] = (spec["spec"], rows.out)
        return out


def fvecs(rows):
    return b"".join(struct.pack(f"<i{len(row)}f", len(row), *row) for row in rows)


def bvecs(rows):
    return b"".join(struct.pack(f"<i{len(row)}B", len(row), *row) for row in rows)


def ivecs(rows):
    return b"".join(struct.pack(f"<i{len(row)}i", len(row), *row) for row in rows)


def fbin(rows):
    return struct.pack("<II", len(rows), len(rows[0])) + b"".join(
        struct.pack(f"<{len(row)}f", *row) for row in rows)


def npy(rows, descr="<f4", code="f", fortran=False):
    text = "{'descr': '%s', 'fortran_order': %s, 'shape': (%d, %d), }" % (
        descr, fortran, len(rows), len(rows[0]))
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    order = [[row[c] for row in rows] for c in range(len(rows[0]))] if fortran else rows
    data = b"".join(struct.pack("<%d%s" % (len(row), code), *row) for row in order)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


def main():
    unittest.main(verbosity=1)
