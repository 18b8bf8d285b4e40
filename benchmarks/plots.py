"""The plots that the README and docs/performance.md show: bars as SVG, each once on light and once on dark ground."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks import cold
from benchmarks.endpoints import ALONE, BARE, OURS
from benchmarks.rounds import Comparison, Table

FOLDER = Path(__file__).parents[1] / "docs" / "plots"
# A cold start's bar is what its first caller waits for.
FIRST = ("until ready", "first request")
YARDSTICKS = (cold.LABELS[cold.BARE], cold.LABELS[cold.LIBRARIES])
WIDTH, LABELS, BAR, GAP, TITLE = 860, 220, 18, 6, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours, as CSS has them."""

    name: str
    ground: str
    text: str
    faint: str
    ours: str
    others: str


THEMES = (
    Theme(name="light", ground="#ffffff", text="#1f2328", faint="#59636e", ours="#1f5fbf", others="#b9c2cc"),
    Theme(name="dark", ground="#0d1117", text="#e6edf3", faint="#9198a1", ours="#6ea8ff", others="#454d57"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One group of bars on one scale; those named in `ours` stand out."""

    title: str
    unit: str
    bars: Mapping[str, float]
    ours: frozenset[str]


def draw(run: Iterable[Comparison | Table]) -> Iterator[Path]:
    """Draw what is in a run; gives the files."""
    tables = {each.name: each for each in run if isinstance(each, Table)}
    FOLDER.mkdir(exist_ok=True)
    if "CPU of one request" in tables:
        yield from _written("requests", "CPU of one request, µs", _requests(tables["CPU of one request"]))
    if "CPU of a cold start" in tables:
        yield from _written("cold-start", "A cold start", _cold(tables))


def _requests(table: Table) -> list[Panel]:
    operations = list(dict.fromkeys(operation for row in table.rows.values() for operation in row))
    panels = []
    for operation in operations:
        bars = {
            name: row[operation] for name, row in table.rows.items() if operation in row and name not in (BARE, ALONE)
        }
        ordered = dict(sorted(bars.items(), key=lambda bar: bar[1]))
        if len(ordered) > 1:
            panels.append(Panel(title=operation, unit="µs", bars=ordered, ours=frozenset({OURS})))
    return panels


def _cold(tables: Mapping[str, Table]) -> list[Panel]:
    cpu, memory = tables["CPU of a cold start"].rows, tables["Memory of a cold start"].rows
    ours = frozenset(name for name in cpu if name not in YARDSTICKS and ", " not in name)
    cpu_bars = {name: sum(row[each] for each in FIRST if each in row) for name, row in cpu.items()}
    memory_bars = {name: row["at most"] for name, row in memory.items()}
    return [
        Panel(title="CPU of a cold start and its first request", unit="ms", bars=cpu_bars, ours=ours),
        Panel(title="memory at most", unit="MiB", bars=memory_bars, ours=ours),
    ]


def _written(name: str, title: str, panels: list[Panel]) -> Iterator[Path]:
    for theme in THEMES:
        path = FOLDER / f"{name}-{theme.name}.svg"
        path.write_text(svg(title, panels, theme))
        yield path


def svg(title: str, panels: list[Panel], theme: Theme) -> str:
    """The panels, one below the other."""
    parts, top = [], 20
    for panel in panels:
        parts.append(_panel(panel, top, theme))
        top += TITLE + len(panel.bars) * (BAR + GAP)
    style = f"text {{ font: 13px system-ui, sans-serif; fill: {theme.text} }} .faint {{ fill: {theme.faint} }}"
    style += " .strong { font-weight: 600 }"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n"
        f'<rect width="{WIDTH}" height="{top}" fill="{theme.ground}"/>\n{"".join(parts)}</svg>\n'
    )


def _panel(panel: Panel, top: int, theme: Theme) -> str:
    longest = max(panel.bars.values())
    scale = (WIDTH - LABELS - 110) / longest
    lines = [f'<text x="16" y="{top + 14}" class="strong">{escape(panel.title)}</text>\n']
    for number, (name, figure) in enumerate(panel.bars.items()):
        y = top + 26 + number * (BAR + GAP)
        own = name in panel.ours
        lines.append(
            f'<text x="{LABELS}" y="{y + 14}" text-anchor="end"{_weight(own)}>{escape(name)}</text>\n'
            f'<rect x="{LABELS + 10}" y="{y}" width="{max(figure * scale, 1):.1f}" height="{BAR}" rx="2" '
            f'fill="{theme.ours if own else theme.others}"/>\n'
            f'<text class="faint" x="{LABELS + 18 + figure * scale:.1f}" y="{y + 14}">{figure:,.0f} {panel.unit}</text>\n'
        )
    return "".join(lines)


def _weight(own: bool) -> str:
    return ' class="strong"' if own else ""
