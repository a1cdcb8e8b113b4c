"""What a report is made of."""

from typing import NamedTuple


class Section(NamedTuple):
    """A table with its title above and its notes below; cells may have several lines."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]
    text_columns: int = 1  # how many on the left are words, the others are numbers


def percent(share: float | None) -> str:
    """Return a share of 1 as percent, without the sign, or a dash for None."""
    return '–' if share is None else f'{100 * share:.2f}'
