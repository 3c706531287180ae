"""docs/store-format.md: another program reads a cache by the code of the page, with NumPy alone."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xxhash

from dualgaf import DualGAFDataModule, SimulatedSource
from dualgaf.imaging.packing import pack

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "store-format.md").read_text()
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
SOURCE = SimulatedSource(n_windows=30, window_size=24)
READ = """
import sys
from pathlib import Path

(store,), (windows,) = (Path(sys.argv[1]).glob(f"*.{end}") for end in ("store", "windows"))
gasf, gadf, labels = kept_images(store, windows)["train"]
np.savez(sys.argv[2], gasf=gasf, gadf=gadf, labels=labels)
others = {name.partition(".")[0] for name in sys.modules} & {"dualgaf", "xxhash", "torch"}
assert not others, others
"""


@pytest.fixture(scope="module")
def page():
    names = {}
    exec(compile(CODE, "store-format.md", "exec"), names)
    return names


def kept(folder, split, **settings):
    """A cache of some windows, and the images of a split as the DataModule gives them."""
    dm = DualGAFDataModule(SOURCE, cache_dir=folder, **settings)
    dm.setup("fit")
    found = dm.dataset(split)
    batch = dm.on_after_batch_transfer(found.__getitems__([*range(len(found))]), 0)
    dm.close()
    return batch


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder of one store, and its training images. Equal ones that live would be shared."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, kept(folder, "train", image_size=11)


def only(folder, ending):
    (path,) = folder.glob(f"*.{ending}")
    return path


def same(read, batch):
    for found, wanted in zip(read, (batch.gasf, batch.gadf, batch.label), strict=True):
        np.testing.assert_array_equal(found, wanted.numpy())


def test_another_program_reads_the_images_and_labels(cache, tmp_path):
    folder, batch = cache
    program, out = tmp_path / "reader.py", tmp_path / "read.npz"
    program.write_text(CODE + READ)
    subprocess.run([sys.executable, "-I", program, folder, out], check=True)
    read = np.load(out)
    assert read["gasf"].shape == (len(batch.label), len(SOURCE.load().channel_names), 11, 11)
    same([read[name] for name in ("gasf", "gadf", "labels")], batch)


@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", ["uint8", "uint16", "float16", "float32"])
def test_every_layout_and_type_is_told(layout, storage, page, tmp_path):
    batch = kept(tmp_path, "val", image_size=10, layout=layout, storage=storage)
    found = page["kept_images"](only(tmp_path, "store"), only(tmp_path, "windows"))
    same(found["val"], batch)


def test_the_head_is_filled_with_zeros_and_the_file_ends_with_the_last_row(page, cache):
    folder, _ = cache
    path = only(folder, "store")
    data, rows = path.read_bytes(), page["read_store"](path)
    length = int.from_bytes(data[28:32], "little")
    assert data[:8] == b"dualgaf\0"
    assert not any(data[32 + length : 4096])
    assert len(data) == 4096 + rows.nbytes


def test_the_manifest_is_as_told(page, cache):
    folder, _ = cache
    path, store = only(folder, "json"), only(folder, "store")
    manifest, data = json.loads(path.read_text()), store.read_bytes()
    told = re.findall(r"^\| `(\w+)` \|", PAGE.split("## NAME.json")[1].split("## KEY")[0], re.M)
    assert sorted(manifest) == sorted(told)
    assert manifest["version"] == 3
    words = PAGE.split("`parts` has the settings")[1].split("\n\n")[0]
    assert set(manifest["parts"]) == set(re.findall(r"`([a-z_]+)`", words))
    check = manifest.pop("check")
    as_told = json.dumps(manifest, sort_keys=True)
    assert check == xxhash.xxh3_64_hexdigest(as_told.encode())
    parts = json.dumps(manifest["parts"], sort_keys=True)
    assert path.stem == store.stem == xxhash.xxh3_128_hexdigest(parts.encode())
    assert manifest["nonce"] == data[12:28].hex()
    rows = page["read_store"](store)
    assert manifest["layout"] == {
        "n_rows": len(rows),
        "row_shape": [*rows.shape[1:]],
        "dtype": rows.dtype.name,
    }
    covered = []
    for first, last, checksum in manifest["ranges"]:
        assert checksum == xxhash.xxh3_64_hexdigest(rows[first:last].tobytes())
        covered += range(first, last)
    assert {*covered} == {*range(len(rows))}


def test_the_file_of_windows_is_as_told(page, cache):
    folder, _ = cache
    path = only(folder, "windows")
    head, arrays = page["read_windows"](path)
    data = path.read_bytes()
    digest = xxhash.xxh3_128(data[32 : 32 + int.from_bytes(data[24:32], "little")])
    for array in arrays.values():
        digest.update(array.tobytes())
    assert data[8:24] == digest.digest()
    told = re.findall(r"^\| (`[a-z/]+`.*?) \|", PAGE.split("name, NumPy type and shape")[1], re.M)
    names = {name for row in told for name in re.findall(r"`([a-z/]+)`", row)}
    assert names <= {*arrays} <= names | {"rows/test", "start_times", "end_times"}
    assert {*arrays["labels"]} <= {*range(len(head["class_names"]))}
    assert arrays["flat"].shape[0] == len(head["channel_names"])


def test_the_manifest_tells_which_windows_a_store_has(page, cache):
    def hashed(array):
        digest = xxhash.xxh3_128(f"{array.dtype.str}{array.shape};".encode())
        digest.update(array.tobytes())
        return f"xxh3:{digest.hexdigest()}"

    folder, _ = cache
    _, arrays = page["read_windows"](only(folder, "windows"))
    parts = json.loads(only(folder, "json").read_text())["parts"]
    rows = np.sort(np.concatenate([arrays["rows/train"], arrays["rows/val"]]))
    assert parts["values"] == hashed(arrays["flat"])
    assert parts["starts"] == hashed(arrays["starts"][rows])


def test_packing_is_the_one_of_the_package(page):
    fields = np.random.default_rng(0).integers(1, 256, (3, 2, 2, 5, 5)).astype(np.uint8)
    fields[:, 0] = np.maximum(fields[:, 0], np.swapaxes(fields[:, 0], -1, -2))
    below = np.tril(np.ones((5, 5), bool), -1)
    mirrored = 256 - np.swapaxes(fields[:, 1], -1, -2).astype(int)
    fields[:, 1] = np.where(below, fields[:, 1], np.where(below.T, mirrored, 128))
    gasf, gadf = page["both_fields"](pack(fields))
    wanted = page["decoded"](fields)
    np.testing.assert_array_equal(gasf, wanted[:, 0])
    np.testing.assert_array_equal(gadf, wanted[:, 1])
