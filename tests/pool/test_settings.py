"""`PoolSettings`: the texts for values that are not allowed."""

import pytest

from dualgaf.errors import ConfigError
from dualgaf.pool.settings import PoolSettings


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"n_jobs": 0},
            "parallel.n_jobs=0 is not allowed; allowed: whole numbers, -1 (all CPUs) or 1 and "
            "more; type parallel.n_jobs=-1",
        ),
        ({"n_jobs": -2}, "parallel.n_jobs=-2 is not allowed"),
        ({"n_jobs": True}, "parallel.n_jobs=True is not allowed"),
        ({"n_jobs": 1.5}, "parallel.n_jobs=1.5 is not allowed"),
        (
            {"chunk_size": 0},
            "parallel.chunk_size=0 is not allowed; allowed: whole numbers, 1 and more, or auto; "
            "type parallel.chunk_size=auto",
        ),
        ({"chunk_size": -1}, "parallel.chunk_size=-1 is not allowed"),
        ({"chunk_size": "many"}, "parallel.chunk_size='many' is not allowed"),
        ({"chunk_size": "100"}, "parallel.chunk_size='100' is not allowed"),
        ({"chunk_size": True}, "parallel.chunk_size=True is not allowed"),
        (
            {"backend": "proces"},
            "parallel.backend='proces' is not known; allowed: auto, process, thread, serial; type "
            "parallel.backend=process",
        ),
        ({"shm": "yes"}, "parallel.shm='yes' is not allowed; allowed: true, false"),
        ({"enabled": 1}, "parallel.enabled=1 is not allowed; allowed: true, false"),
        ({"chunk_timeout_s": 0}, "parallel.chunk_timeout_s=0 is not allowed; allowed: above 0"),
        (
            {"chunk_timeout_s": "1"},
            "parallel.chunk_timeout_s='1' is not allowed; allowed: above 0 seconds; type "
            "parallel.chunk_timeout_s=60",
        ),
        ({"chunk_timeout_s": True}, "parallel.chunk_timeout_s=True is not allowed"),
        ({"chunk_timeout_s": float("nan")}, "parallel.chunk_timeout_s=nan is not allowed"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_to_type(fields, text):
    with pytest.raises(ConfigError) as caught:
        PoolSettings(**fields)
    assert str(caught.value).startswith(text)


def test_settings_come_from_a_mapping_of_some_fields():
    settings = PoolSettings.from_mapping({"n_jobs": 3, "shm": False})
    assert settings == PoolSettings(n_jobs=3, shm=False)
    assert PoolSettings.from_mapping(settings.to_json()) == settings


def test_a_chunk_size_is_a_number_or_measured_by_the_plan():
    assert PoolSettings(chunk_size=7).chunk_rows == 7
    settings = PoolSettings.from_mapping({"chunk_size": "auto"})
    assert settings == PoolSettings()
    with pytest.raises(ConfigError) as caught:
        _ = settings.chunk_rows
    assert str(caught.value) == (
        "parallel.chunk_size=auto is measured by dualgaf.plan.make_plan; use the settings of its "
        "plan, or type parallel.chunk_size=100"
    )


def test_an_unknown_key_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ConfigError, match="'chunk' is not known; allowed: enabled, backend, shm"):
        PoolSettings.from_mapping({"chunk": 3})
