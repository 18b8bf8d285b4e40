"""Rows of text: a drawn table for who looks at a terminal, plain columns for what reads a pipe."""

import sys
from collections.abc import Sequence


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the rows, with their headings on a terminal alone, so that each line of a pipe is a row."""
    if sys.stdout.isatty():
        _draw(headings, rows)
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))  # as Text, for what stands in [] is no markup
    Console().print(table)
