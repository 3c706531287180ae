import json

import pytest

from dualgaf.errors import ConfigError
from dualgaf.imaging.recipe import ImagingRecipe


def test_sizes():
    assert ImagingRecipe(96).row_bytes(20) == 2 * 20 * 96 * 96
    assert ImagingRecipe(96, layout="packed").row_bytes(20) == 20 * 96 * 96
    assert ImagingRecipe(10, storage="float32").row_bytes(3) == 2 * 3 * 100 * 4


def test_survives_json():
    recipe = ImagingRecipe(7, "train", (0.0, 1.0), "uint16", "packed")
    assert ImagingRecipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"scaling": "global"}, "scaling='global' is not known; allowed: window, train, none"),
        ({"storage": "int8"}, "type storage=uint8"),
        ({"layout": "pack"}, "type layout=packed"),
        ({"image_size": 1}, "image_size=1 is too small"),
        ({"image_size": True}, "not a whole number"),
        ({"feature_range": (1, -1)}, "feature_range=\\(1, -1\\) is not allowed"),
        ({"feature_range": 3}, "feature_range=3 is not allowed"),
    ],
)
def test_a_wrong_field_is_named(fields, text):
    with pytest.raises(ConfigError, match=text):
        ImagingRecipe(**{"image_size": 8, **fields})
