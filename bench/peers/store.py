# SPDX-License-Identifier: Apache-2.0
"""Finished measurements, a JSON line each: what is there under the same key is not measured again."""

import json
import os
import time


class Store:
    """The file peers.jsonl: append only; of two lines with one key the later one counts."""

    def __init__(self, path: str) -> None:
        self.path, self.lines = path, {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for text in file:
                    if text.endswith("\n"):  # a line cut short by a kill is no measurement
                        line = json.loads(text)
                        self.lines[self._name(line["key"])] = line
        self.used: list[dict] = []  # of this run, in order

    @staticmethod
    def _name(key: dict) -> str:
        return json.dumps(key, sort_keys=True)

    def find(self, key: dict) -> dict | None:
        """The result under this key, and notes that this run is about it."""
        line = self.lines.get(self._name(key))
        if line is None:
            return None
        self.used.append(line)
        return line["result"]

    def add(self, key: dict, result: dict) -> dict:
        line = {"key": key, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "result": result}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.lines[self._name(key)] = line
        self.used.append(line)
        return result
