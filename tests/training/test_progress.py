"""What `LastCheckpoint` refuses; what it writes is in test_resume.py."""

from types import SimpleNamespace

import pytest

from dualgaf.errors import ConfigError
from dualgaf.training.progress import LastCheckpoint, Progress


def second_rank(step, *, of_the_first):
    strategy = SimpleNamespace(broadcast=lambda own: of_the_first)
    return SimpleNamespace(global_step=step, global_rank=1, strategy=strategy, max_epochs=3)


def test_ranks_that_do_not_see_the_same_folder_are_refused(tmp_path):
    callback = LastCheckpoint(tmp_path / "last.ckpt")
    callback.on_train_start(second_rank(8, of_the_first=8), None)
    says = f"rank 1 is at step 0, the first rank at 8: {tmp_path} is not the same folder for both"
    with pytest.raises(ConfigError) as caught:
        callback.on_train_start(second_rank(0, of_the_first=8), None)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("max_epochs", "goes_on"), [(None, True), (-1, True), (4, True), (9, True), (3, None)]
)
def test_fewer_epochs_than_are_trained_are_refused(tmp_path, max_epochs, goes_on):
    progress = Progress(tmp_path / "last.ckpt", 40, 4, 6, False, 1.0, (), None)
    if goes_on is not None:
        assert progress.goes_on(max_epochs) is goes_on
        return
    says = "trainer.max_epochs=3 is not allowed; allowed: 4 and more, which this run has trained"
    with pytest.raises(ConfigError, match=says):
        progress.goes_on(max_epochs)
