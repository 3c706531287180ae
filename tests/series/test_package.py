"""What `dualgaf.series` offers, and how light it is to import."""

import subprocess
import sys

import pytest

import dualgaf.series


def test_every_public_name_is_there():
    for name in dualgaf.series.__all__:
        assert getattr(dualgaf.series, name).__name__ == name


def test_an_unknown_name():
    with pytest.raises(AttributeError, match=r"module 'dualgaf\.series' has no attribute 'Table'"):
        _ = dualgaf.series.Table


def test_the_import_loads_no_heavy_package():
    code = (
        "import sys, dualgaf.series; "
        "print(sorted({'polars', 'aeon', 'torch', 'lightning', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["tables.source", "simulate", "archive"])
def test_sources_load_no_framework_and_no_aeon(name):
    code = (
        f"import sys, dualgaf.series.{name}; "
        "print(sorted({'aeon', 'torch', 'lightning', 'hydra', 'omegaconf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
