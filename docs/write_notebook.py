"""Writes notebooks/01_gaf_in_five_minutes.ipynb, with its outputs, from the example of the gallery.

    python docs/write_notebook.py
    python docs/write_notebook.py --simulator   (minutes; pip install "dualgaf[energyplus]")

A test compares the cells of both; `make notebooks` runs the notebook. The other one is run as it
is, beside the simulator, and gets its outputs.
"""

import argparse
import copy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "plot_00_five_minutes.py"
NOTEBOOK = ROOT / "notebooks" / "01_gaf_in_five_minutes.ipynb"

SIMULATOR = ROOT / "notebooks" / "03_faults_from_energyplus.ipynb"


def cells() -> Any:
    """The notebook without outputs, as the gallery has it for download."""
    _, blocks = split_code_and_text_blocks(str(EXAMPLE))
    conf = copy.deepcopy(DEFAULT_GALLERY_CONF)
    made = jupyter_notebook(blocks, conf, str(EXAMPLE.parent))
    notebook = nbformat.from_dict(made)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        cell.source = "".join(cell.source).strip("\n")
    notebook.nbformat_minor = 5
    return notebook


def executed(notebook: Any, folder: Path) -> Any:
    """The notebook with what its cells print and draw."""
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of one machine
        if cell.cell_type == "code":
            # logs have sizes of one machine
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return notebook


def main() -> None:
    """Run them and keep what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulator", action="store_true", help="the notebook on EnergyPlus")
    if not parser.parse_args().simulator:
        nbformat.write(executed(cells(), ROOT), NOTEBOOK)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in (SIMULATOR.name, "vav_building.py"):
            shutil.copy(SIMULATOR.parent / name, folder)
        notebook = nbformat.read(SIMULATOR, as_version=4)
        nbformat.write(executed(notebook, Path(folder)), SIMULATOR)


if __name__ == "__main__":
    main()
