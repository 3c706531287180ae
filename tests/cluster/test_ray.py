"""The lines for Ray Train in docs/cluster.md, run by Ray in an environment of its own: make ray."""

import re
import sys
from pathlib import Path

import pytest

from cluster_programs import Place, environment_of
from programs import told
from trained import plant_table

pytestmark = pytest.mark.timeout(900)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
TYPED = {
    '"/shared/plant"': '"{folder}/plant"',
    "max_epochs=20,": 'max_epochs=1, accelerator="cpu", callbacks=[Tell("{folder}")],',
    "num_workers=4": "num_workers=2",
    "import dualgaf\n": "import dualgaf\nfrom ranks_program import Tell\n",
}
"""What is typed in the place of what the page has: a small folder, and who tells what they hold."""


def test_workers_of_ray_train_on_one_copy_of_the_images(tmp_path):
    pytest.importorskip("ray.train", reason="Ray is not installed; type make ray")
    (code,) = re.findall(r"\n## Ray Train\n.*?```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for before, after in TYPED.items():
        assert code.count(before) == 1, before
        code = code.replace(before, after.format(folder=tmp_path))
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "a.csv").write_text(plant_table(12, minutes=15))
    (tmp_path / "block.py").write_text(code)
    place = Place(tmp_path, environment_of(tmp_path))
    output, status = place.run(sys.executable, "block.py", cwd=tmp_path)
    assert status == 0, output
    ranks = told(tmp_path, "fit")
    assert len(ranks) == 2
    assert sum(len(each["built"]) for each in ranks) == 1
    assert ranks[0]["inodes"] == ranks[1]["inodes"] != []
    assert ranks[0]["hashes"] == ranks[1]["hashes"]
