"""Which kernels are used where numba is missing, or may write nowhere."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
{before}
import numpy as np, dualgaf
from dualgaf.imaging import fastest
fields = dualgaf.dual_gaf(np.arange(12.0).reshape(1, 2, 6))
print(fastest.kernel.__name__, fastest.kernel_folder(), fields.sum())
print(fastest.os.environ.get("NUMBA_CACHE_DIR"))
"""


def ran(before="", **environment):
    clean = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before)],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    first, folder = done.stdout.splitlines()
    return first.split(), folder


def test_without_numba_the_reference_draws_the_same():
    usual, _ = ran()
    plain, _ = ran("sys.modules['numba'] = None")
    assert usual[0] == "dualgaf.imaging.kernel"
    assert Path(usual[1]).is_dir()
    assert plain == ["dualgaf.imaging.reference", "None", usual[2]]


def test_without_a_folder_to_write_the_kernels_are_compiled_for_this_run(tmp_path):
    # numba may only use the folder that it is given, and is given none
    found, folder = ran(
        NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator", TMPDIR=str(tmp_path)
    )
    assert found[:2] == ["dualgaf.imaging.kernel", "None"]
    assert Path(folder).parent == tmp_path
    assert list(tmp_path.iterdir()) == []  # it is removed at the end
