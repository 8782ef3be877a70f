# SPDX-License-Identifier: Apache-2.0
"""The page: curves and tables in one file, without scripts."""

import html as markup

import chart
import summary
from chart import Line

STYLE = """
:root { color-scheme: light dark; --page: #fcfcfb; --ink: #1d1d1b; --soft: #5c5c57; --line: #dddcd6;
  --band: #f2f1ec; --loci: #d1242f; --hnswlib: #2563b0; --usearch: #8250b8; --faiss: #16803c;
  --sqlite: #6b6b66; --vectorlite: #0e8a96; --chroma: #b4690e; --lancedb: #b83280;
  --symphonyqg: #3f3fbf; --rabitq: #6b7d00; --svs: #00739c; }
@media (prefers-color-scheme: dark) { :root { --page: #191918; --ink: #ecebe6; --soft: #a5a49d;
  --line: #3a3a37; --band: #232321; --loci: #ff6b6b; --hnswlib: #6ea8fe; --usearch: #c297ff;
  --faiss: #56c271; --sqlite: #b0afa8; --vectorlite: #4fd0dc; --chroma: #f0a94b; --lancedb: #ff8cc6;
  --symphonyqg: #9d9dff; --rabitq: #c3d24a; --svs: #63c3ea; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 84rem; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.25rem; margin: 2.6rem 0 .3rem; }
p { max-width: 48rem; } p.note, figcaption { color: var(--soft); font-size: .9rem; margin: .2rem 0 .8rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0;
  font-size: .92rem; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
svg { width: 100%; max-width: 72rem; height: auto; display: block; font: 12.5px system-ui, sans-serif; }
svg text { fill: var(--soft); } svg text.axis { font-size: 13px; } svg text.name { fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: 1; } figure { margin: 1rem 0; }
.curve { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
.dot { fill: var(--c); stroke: var(--page); stroke-width: 1; }
.loci .curve { stroke-width: 3.2; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .6rem; text-align: right; white-space: nowrap; }
th { white-space: normal; background: var(--band); font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--page); }
th:first-child { background: var(--band); } tr + tr td { border-top: 1px solid var(--line); }
tr.loci td { font-weight: 650; } details { margin: .8rem 0; } summary { cursor: pointer; }
""" + "".join(f".{name} {{ --c: var(--{name}); }}\n" for name in chart.FAMILIES if name != "brute") + (
    ".brute { --c: var(--soft); }\n")


def _table(head: list[str], rows: list[list[str]]) -> str:
    def cells(tag: str, row: list[str]) -> str:
        return "".join(f"<{tag}>{markup.escape(cell)}</{tag}>" for cell in row)
    body = "".join(f'<tr{" class=loci" if row[0].startswith("Loci") else ""}>{cells("td", row)}</tr>'
                   for row in rows)
    return (f'<div class="scroll"><table><thead><tr>{cells("th", head)}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def _rising(points: list[dict]) -> list[dict]:
    """Without the points that cost more than an earlier one and find no more."""
    kept: list[dict] = []
    for point in points:
        if not kept or point["recall"] > kept[-1]["recall"] + 5e-5:
            kept.append(point)
    return kept


def _curves(block: dict) -> str:
    lines = [Line(peer, points[0]["label"],
                  [(p["recall"], p["qps"], f"{p['label']}, ef {p['ef'] or '-'}: recall "
                    f"{p['recall']:.4f}, {p['qps']:,.0f} QPS") for p in _rising(points)])
             for peer, points in summary.by_peer(block).items()]
    values = [(x, y) for line in lines for x, y, _ in line.points]
    if not values:
        return ""
    drawing = chart.draw(summary.title(block), lines, chart.recall_axis([x for x, _ in values]),
                         chart.log_axis("queries a second, one thread", [y for _, y in values]))
    return (f"<figure>{drawing}<figcaption>Each mark is one ef; up and to the right is better. Peers "
            "without such a dial are one mark. A larger ef that finds no more is left out.</figcaption>"
            "</figure>")


def _points(block: dict) -> str:
    head = ["peer", "ef", "recall", "QPS", "QPS, best rounds", "p50 us", "p95 us", "p99 us", "queries"]
    rows = [[p["label"], str(p["ef"] or "-"), f"{p['recall']:.4f}", summary.number(p["qps"]),
             summary.number(p["qps_best"]),
             *(summary.number(p.get(f"{name}_us"), 1) for name in ("p50", "p95", "p99")),
             str(p["queries"])]
            for points in summary.by_peer(block).values() for p in points]
    return f"<details><summary>Every point</summary>{_table(head, rows)}</details>"


def _block(block: dict, builds: dict) -> str:
    return (f'<h2>{markup.escape(summary.title(block))}</h2><p class="note">'
            f"{markup.escape(block['result']['source'])}"
            f"{'' if block['result']['public'] else '; not a set to be quoted'}</p>"
            + _curves(block) + _table(*summary.curve_table(block, builds)) + _points(block))


def _growth(blocks: list[dict], title: str, value) -> str:
    """A chart of one number against rows; value(block, peer, points) may be None."""
    lines: dict[str, Line] = {}
    for block in sorted(blocks, key=lambda block: block["key"]["rows"]):
        rows = block["key"]["rows"]
        for peer, points in summary.by_peer(block).items():
            found = value(block, peer, points)
            if found:
                line = lines.setdefault(peer, Line(peer, points[0]["label"], []))
                line.points.append((rows, found, f"{line.label}, {rows:,} rows: {found:,.3g}"))
    values = [(x, y) for line in lines.values() for x, y, _ in line.points]
    if not values:
        return ""
    drawing = chart.draw(title, list(lines.values()), chart.log_axis("rows", [x for x, _ in values]),
                         chart.log_axis(title, [y for _, y in values]))
    return f"<figure>{drawing}</figure>"


def _series(blocks: list[dict], whole: list[dict], builds: dict) -> str:
    """The charts go on to the whole set, whose table stands above."""
    def speed(recall: float):
        def value(_, __, points):
            found = summary.qps_at(points, recall)
            return found and found[0]
        return value

    def built(block, peer, _):
        return builds.get((block["key"]["set"], block["key"]["rows"], peer), {}).get("build_s")

    parts = ["<h2>From few rows to many</h2>"]
    for recall in (0.95, 0.99):
        parts.append(_growth(blocks + whole, f"QPS at recall {recall:g}, one thread", speed(recall)))
    parts.append(_growth(blocks + whole, "seconds to build, one thread", built))
    for block in blocks:
        parts.append(f"<details><summary>{block['key']['rows']:,} rows</summary>"
                     f"{_table(*summary.curve_table(block, builds))}{_points(block)}"
                     "</details>")
    return "".join(parts)


def _changes(lines: list[dict]) -> str:
    note = ("1 % of the rows more, then as many of the first ones deleted, ten in a call (a transaction, "
            "where there are transactions); after each call one query, whose median time stands beside. "
            f"Recall at ef {lines[0]['key']['ef']} where there is an ef. hnswlib, USearch, FAISS and "
            "HNSW-RaBitQ keep what changed in memory; the others have it on disk.")
    return (f"<h2>Changes to a built index</h2><p class=note>{note}</p>"
            + _table(summary.CHANGE_HEAD, [summary.change_row(line) for line in lines]))


def _facts(result: dict) -> str:
    facts = dict(result["facts"])
    for line in result["builds"]:
        built = line["result"]
        known = [f"{name} {built[name]}" for name in ("version", "faiss-cpu", "sqlite-vec",
                                                      "vectorlite-py", "chromadb", "lancedb", "apsw",
                                                      "rabitqlib", "scalable-vs")
                 if name in built]
        settings = " ".join(f"{name}={value}" for name, value in built["config"].items())
        if not line["key"]["peer"].count("-M"):
            facts[built["label"]] = ", ".join(filter(None, [*known, settings, built.get("kernels", "")]))
    return "<dl>" + "".join(f"<dt>{markup.escape(str(name))}</dt><dd>{markup.escape(str(value))}</dd>"
                            for name, value in facts.items()) + "</dl>"


def _failures(failures: list[dict]) -> str:
    if not failures:
        return "<h2>What failed</h2><p>Nothing.</p>"
    rows = [[one["peer"], one["stage"], one["set"], f"{one['rows']:,}", one["error"]]
            for one in failures]
    return "<h2>What failed</h2>" + _table(["peer", "at", "set", "rows", "error"], rows)


INTRODUCTION = """Every peer runs on the same core with one query thread. In each round every peer runs
every setting once, so that all of them see the same minutes. QPS is that of the median round; "best
rounds" takes of each query (of each call, where one call takes many) its fastest round, which other work
on the machine disturbs less. Recall counts rows whose exact distance, in float64, is at most the k-th true
one. ">=" means that the smallest ef is above that recall already; "-" that no ef reaches it. Libraries
that are headers are compiled with -O3 -march=native; those that come for Python are called once for 100
queries where their interface takes many, and no latency of single queries is given for them."""


def html(result: dict) -> str:
    """The whole page."""
    builds = summary.builds_of(result)
    sections: dict[str, list[dict]] = {}
    for block in result["blocks"]:
        sections.setdefault(block["key"]["section"], []).append(block)
    parts = ["<!doctype html><html lang=en><meta charset=utf-8>",
             "<meta name=viewport content='width=device-width, initial-scale=1'>",
             f"<title>Loci beside its peers</title><style>{STYLE}</style>",
             f"<h1>Loci beside its peers</h1><p>{INTRODUCTION}</p>", _facts(result)]
    whole = sections.pop("curves", [])
    parts += [_block(block, builds) for block in whole]
    if series := sections.pop("series", []):
        same = [block for block in whole if block["key"]["set"] == series[0]["key"]["set"]]
        parts.append(_series(series, same, builds))
    for name, blocks in sections.items():
        parts += [f"<h2>{markup.escape(name)}</h2>"]
        parts += [_table(*summary.curve_table(block, builds)) + _points(block)
                  for block in blocks]
    if result["changes"]:
        parts.append(_changes(result["changes"]))
    return "\n".join([*parts, _failures(result["failures"]), "</html>\n"])
