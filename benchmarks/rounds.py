"""Figures that a busy machine spoils least: CPU time, in rounds that take turns, ratios taken within a round."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How our work compares with a yardstick: the median ratio of all rounds, and both medians."""

    name: str
    ratio: float
    at_most: float
    ours: str
    yardstick: str

    @property
    def met(self) -> bool:
        """Whether it is within its target."""
        return self.ratio <= self.at_most

    def __str__(self) -> str:
        verdict = "met" if self.met else "NOT MET"
        return (
            f"{self.name:<44} {self.ratio:6.2f}   ≤ {self.at_most:<5} {self.ours:>11} {self.yardstick:>11}   {verdict}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Medians of one run: a row has a figure in some of the columns, all in one unit."""

    name: str
    unit: str
    rows: Mapping[str, Mapping[str, float]]

    def __str__(self) -> str:
        title = f"{self.name}, {self.unit}"
        columns = list(dict.fromkeys(column for row in self.rows.values() for column in row))
        first = max(map(len, (title, *self.rows)))
        lines = [f"{title:<{first}}" + "".join(f"  {column:>7}" for column in columns)]
        for name, row in self.rows.items():
            figures = (_figure(row[column]) if column in row else "" for column in columns)
            cells = "".join(
                f"  {figure:>{max(7, len(column))}}" for column, figure in zip(columns, figures, strict=True)
            )
            lines.append(f"{name:<{first}}{cells}".rstrip())
        return "\n".join(["", *lines, ""])


def _figure(number: float) -> str:
    return f"{number:,.{0 if number >= 10 else 1}f}"


HEADING = f"{'':<44} {'ratio':>6}   {'target':<7} {'ours':>11} {'yardstick':>11}"


def of_pairs(name: str, pairs: list[tuple[float, float]], *, at_most: float, unit: str, scale: float) -> Comparison:
    """A comparison from each round's two figures: ratios are taken within a round, for a busy machine slows both alike."""
    ours, yardstick = (median(figures) * scale for figures in zip(*pairs, strict=True))
    return Comparison(
        name=name,
        ratio=median(a / b for a, b in pairs),
        at_most=at_most,
        ours=f"{ours:,.0f} {unit}",
        yardstick=f"{yardstick:,.0f} {unit}",
    )


def compared(
    name: str, ours: Work, yardstick: Work, *, at_most: float, calls: int, rounds: int = 41, warm: int = 3
) -> Comparison:
    """The CPU time of this process for one call of each, in rounds that take turns in who goes first."""
    for _ in range(warm):
        ours()
        yardstick()
    pairs = []
    for number in range(rounds):
        if number % 2:
            second, first = cpu_seconds(yardstick, calls), cpu_seconds(ours, calls)
        else:
            first, second = cpu_seconds(ours, calls), cpu_seconds(yardstick, calls)
        pairs.append((first, second))
    return of_pairs(name, pairs, at_most=at_most, unit="µs", scale=1e6)


def cpu_seconds(work: Work, calls: int) -> float:
    """The CPU time of this process for one call."""
    started = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - started) / calls


def cpu_seconds_of(pid: int) -> float:
    """The CPU time of another process so far, its threads and the system's part included."""
    return time.clock_gettime(
        (~pid << 3) | 2
    )  # Linux's clock of a process; /proc has the same, in hundredths of a second
