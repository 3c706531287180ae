"""Colours that readers can tell apart whose eyes see less of red, green or blue.

Eight colours of Okabe and Ito, "Color universal design", 2008. More classes than colours get the
same ones with hatches.
"""

from typing import Any

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
LINES = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
"""Of lines on white; yellow is too light for one."""
AREAS = (SKY, ORANGE, GREEN, YELLOW, BLUE, VERMILION, PURPLE)
"""Of areas."""
HATCHES = ("", "///", "xxx", "...")


def area_style(number: int) -> dict[str, Any]:
    """Colour and hatch of a class, by its number; 28 of them differ.

    Example:
        >>> area_style(0), area_style(8)["hatch"]
        ({'facecolor': '#56b4e9', 'hatch': '', 'edgecolor': '#ffffff'}, '///')
    """
    turn, place = divmod(number, len(AREAS))
    hatch = HATCHES[turn % len(HATCHES)]
    return {"facecolor": AREAS[place], "hatch": hatch, "edgecolor": "#ffffff"}
