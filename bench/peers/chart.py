# SPDX-License-Identifier: Apache-2.0
"""Line charts as inline SVG, without scripts: colours are the page's variables, light and dark."""

import html
import math
from dataclasses import dataclass

WIDTH, HEIGHT = 920, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 215, 16, 52

# One colour and one marker a library; its configurations differ by the dashes.
FAMILIES = {"loci": "circle", "hnswlib": "square", "usearch": "diamond", "faiss": "triangle",
            "sqlite": "cross", "vectorlite": "square", "chroma": "triangle", "lancedb": "diamond",
            "symphonyqg": "triangle", "rabitq": "diamond", "svs": "square",
            "brute": "cross"}
DASHES = {"bf16-ip": "12 3 2 3", "bf16": "7 3", "i8": "2 3", "sq8": "7 3", "random": "12 3 2 3",
          "q8": "7 3", "lvq8": "7 3"}


@dataclass
class Line:
    """One peer: points (x, y, what a pointer over it shows)."""

    peer: str
    label: str
    points: list[tuple[float, float, str]]

    @property
    def family(self) -> str:
        return next((name for name in FAMILIES if self.peer.startswith(name)), "brute")

    @property
    def dash(self) -> str:
        return next((dash for name, dash in DASHES.items() if f"-{name}" in self.peer), "none")


@dataclass
class Axis:
    """From values to pixels: `scale` makes values linear; ticks are (value, text)."""

    title: str
    scale: object
    ticks: list[tuple[float, str]]
    low: float
    high: float

    def at(self, value: float, start: float, end: float) -> float:
        share = (self.scale(value) - self.low) / max(1e-12, self.high - self.low)
        return start + min(1.0, max(0.0, share)) * (end - start)


def recall_axis(values: list[float]) -> Axis:
    """Recall, the more room the nearer to 1: by the logarithm of what is missed."""
    def scale(recall: float) -> float:
        return -math.log10(max(1 - recall, 1e-4))
    ticks = [(recall, f"{recall:g}") for recall in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995,
                                                    0.998, 0.999)] + [(1.0, "1")]
    low = scale(max(0.0, min(values) - 0.02))
    return Axis("recall@k, by distance", scale, [t for t in ticks if scale(t[0]) >= low], low, 4.05)


def _short(value: float) -> str:
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def log_axis(title: str, values: list[float]) -> Axis:
    """Decades, with 2 and 5 between them while there are few."""
    low, high = math.log10(min(values)) - 0.06, math.log10(max(values)) + 0.06
    steps = (1, 2, 5) if high - low < 3.2 else (1,)
    ticks = [(step * 10.0 ** power, _short(step * 10.0 ** power))
             for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
    return Axis(title, math.log10, [t for t in ticks if low <= math.log10(t[0]) <= high], low, high)


def _marker(shape: str, x: float, y: float, size: float) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"'
    offsets = {"square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
               "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
               "triangle": ((0, -1.2), (1.2, 1), (-1.2, 1)),
               "cross": ((-1.2, -0.4), (-0.4, -0.4), (-0.4, -1.2), (0.4, -1.2), (0.4, -0.4),
                         (1.2, -0.4), (1.2, 0.4), (0.4, 0.4), (0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4),
                         (-1.2, 0.4))}[shape]
    points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in offsets)
    return f'<polygon points="{points}"'


def _frame(x_axis: Axis, y_axis: Axis) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    last = -math.inf
    for value, text in x_axis.ticks:
        x = x_axis.at(value, LEFT, right)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        if x - last >= 34:  # labels must not touch
            parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>')
            last = x
    for value, text in y_axis.ticks:
        y = y_axis.at(value, bottom, TOP)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
                     f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    parts.append(f'<text class="axis" x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 10}" '
                 f'text-anchor="middle">{html.escape(x_axis.title)}</text>')
    parts.append(f'<text class="axis" transform="translate(16 {(TOP + bottom) / 2:.0f}) rotate(-90)" '
                 f'text-anchor="middle">{html.escape(y_axis.title)}</text>')
    return parts


def _legend(index: int, line: Line) -> str:
    x, y = WIDTH - RIGHT + 20, TOP + 12 + 21 * index
    return (f'<g class="{line.family}"><line class="curve" stroke-dasharray="{line.dash}" x1="{x}" '
            f'y1="{y}" x2="{x + 30}" y2="{y}"/>{_marker(FAMILIES[line.family], x + 15, y, 4)} '
            f'class="dot"/></g><text class="name" x="{x + 38}" y="{y + 4}">'
            f'{html.escape(line.label)}</text>')


def draw(name: str, lines: list[Line], x_axis: Axis, y_axis: Axis) -> str:
    """A chart; `name` is what a screen reader says."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(name)}">']
    parts += _frame(x_axis, y_axis)
    for line in reversed(lines):  # the first is Loci: on top
        at = [(x_axis.at(x, LEFT, right), y_axis.at(y, bottom, TOP), text)
              for x, y, text in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in at)
        parts.append(f'<g class="{line.family}"><polyline class="curve" stroke-dasharray='
                     f'"{line.dash}" points="{path}"/>')
        parts += [f'{_marker(FAMILIES[line.family], x, y, 4)} class="dot"><title>'
                  f'{html.escape(text)}</title></{"circle" if FAMILIES[line.family] == "circle" else "polygon"}>'
                  for x, y, text in at]
        parts.append("</g>")
    parts += [_legend(index, line) for index, line in enumerate(lines)]
    return "\n".join(parts) + "</svg>"
