# SPDX-License-Identifier: Apache-2.0
"""From what was measured to what is read: speed at a recall, rows of tables, text."""

import math

RECALLS = (0.90, 0.95, 0.99, 0.999)


def qps_at(points: list[dict], recall: float, field: str = "qps") -> tuple[float, bool] | None:
    """Queries a second at a recall: log-linear between the two ef around it.

    (qps, True) when the smallest ef is above it already, so that it is at least that. None when no ef
    reaches it.
    """
    curve = sorted(points, key=lambda point: point["ef"])
    below = None
    for point in curve:
        if point["recall"] >= recall:
            if below is None:
                return point[field], point["ef"] > 0
            share = (recall - below["recall"]) / (point["recall"] - below["recall"])
            return math.exp((1 - share) * math.log(below[field]) + share * math.log(point[field])), False
        below = point
    return None


def by_peer(block: dict) -> dict[str, list[dict]]:
    """Points of each peer that has any, by ascending ef; peers in the order of the catalogue."""
    found: dict[str, list[dict]] = {name: [] for name, _ in block["key"]["peers"]}
    for point in block["result"]["points"]:
        found[point["peer"]].append(point)
    return {name: sorted(points, key=lambda point: point["ef"])
            for name, points in found.items() if points}


def number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def speed(points: list[dict], recall: float, field: str = "qps") -> str:
    found = qps_at(points, recall, field)
    return "-" if found is None else (">= " if found[1] else "") + number(found[0])


def latency_at(points: list[dict], recall: float) -> str:
    """p50 / p95 / p99 in microseconds at the smallest ef that reaches the recall."""
    for point in sorted(points, key=lambda point: point["ef"]):
        if point["recall"] >= recall:
            if "p50_us" not in point:
                return f"calls of {point['batch']}"
            return " / ".join(number(point[name], 1 if point[name] < 100 else 0)
                              for name in ("p50_us", "p95_us", "p99_us"))
    return "-"


RATIOS = (0.95, 0.99)
OURS = "loci"


def _ratio(ours: list[dict], points: list[dict], recall: float) -> str:
    """How many times a peer's speed ours is at a recall."""
    mine, other = qps_at(ours, recall), qps_at(points, recall)
    return "-" if mine is None or other is None else f"{mine[0] / other[0]:,.2f}x"


def curve_table(block: dict, builds: dict) -> tuple[list[str], list[list[str]]]:
    """A table of one block: its head, and a row a peer."""
    peers = by_peer(block)
    ours = peers.get(OURS)
    head = ["peer", "build s", "CPU s", "file MB", "RSS+ MB",
            *(f"QPS @{recall:g}" for recall in RECALLS),
            *(f"Loci is @{recall:g}" for recall in RATIOS if ours),
            *(f"best rounds @{recall:g}" for recall in RATIOS),
            "p50 / p95 / p99 us @0.95", "top recall"]
    rows = []
    for peer, points in peers.items():
        built = builds.get((block["key"]["set"], block["key"]["rows"], peer), {})
        megabytes = [built[name] / 1e6 if name in built else None
                     for name in ("file_bytes", "rss_bytes")]
        rows.append([points[0]["label"], number(built.get("build_s"), 2),
                     number(built.get("build_cpu_s"), 2), *(number(size, 1) for size in megabytes),
                     *(speed(points, recall) for recall in RECALLS),
                     *(_ratio(ours, points, recall) for recall in RATIOS if ours),
                     *(speed(points, recall, "qps_best") for recall in RATIOS),
                     latency_at(points, 0.95), f"{max(p['recall'] for p in points):.4f}"])
    return head, rows


CHANGE_HEAD = ["peer", "rows", "insert rows/s", "query after it us", "recall before", "after insert",
               "delete rows/s", "query after it us", "recall after delete"]


def change_row(line: dict) -> list[str]:
    """What inserting and deleting 1 % came to."""
    result = line["result"]
    cells = [result["label"], number(line["key"]["rows"])]
    for verb in ("insert", "delete"):
        done = result[verb]
        if "error" in done:
            cells += ["no", "-"] + (["-"] if verb == "delete" else [])
        else:
            cells += [number(done["rows"] / max(1e-9, done["seconds"])), number(done["query_p50_us"])]
            cells += [f"{done['recall']:.4f}"] if verb == "delete" else []
        if verb == "insert":
            after = "-" if "error" in done else f"{done['recall']:.4f}"
            cells += [f"{result['before']['recall']:.4f}", after]
    return cells


def title(block: dict) -> str:
    key, result = block["key"], block["result"]
    return (f"{result['set_name']}, {key['rows']:,} rows x {result['dim']}, {result['metric']}, "
            f"k={key['k']}, {key['rounds']} interleaved rounds")


def text_table(head: list[str], rows: list[list[str]]) -> str:
    """Columns padded to their widest cell; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def text(result: dict) -> str:
    """Everything for a terminal."""
    builds = builds_of(result)
    parts = [f"commit {result['facts']['commit']}, {result['facts']['cpu']}, "
             f"one query thread on core {result['facts']['core']}"]
    for block in result["blocks"]:
        parts += ["", f"[{block['key']['section']}] {title(block)}",
                  text_table(*curve_table(block, builds))]
    if result["changes"]:
        parts += ["", f"[changes] 1 % of the rows, a query after every few, ef "
                      f"{result['changes'][0]['key']['ef']}",
                  text_table(CHANGE_HEAD, [change_row(line) for line in result["changes"]])]
    if result["failures"]:
        parts += ["", "what failed:"]
        parts += [f"  {one['peer']}, {one['stage']}, {one['set']} {one['rows']} rows: {one['error']}"
                  for one in result["failures"]]
    return "\n".join(parts)


def builds_of(result: dict) -> dict[tuple[str, int, str], dict]:
    return {(line["key"]["set"], line["key"]["rows"], line["key"]["peer"]): line["result"]
            for line in result["builds"]}
