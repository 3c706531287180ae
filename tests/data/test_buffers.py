import gc
import os
import pickle
import threading

import numpy as np
import pytest
import torch

from dualgaf.data.buffers import KEPT, ImageBuffers


def addresses(buffers, shape, n=KEPT):
    """Where the next n tensors would lie."""
    return {tensor.data_ptr() for tensor in [buffers.take(shape) for _ in range(n)]}


def test_a_tensor_is_float32_of_the_shape_and_can_be_written():
    tensor = ImageBuffers().take((2, 3, 4))
    assert tensor.shape == (2, 3, 4)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    tensor.fill_(3.0)


@pytest.mark.parametrize(
    "keep",
    [
        lambda tensor: tensor,
        lambda tensor: tensor[1, :2],
        lambda tensor: tensor.flatten().unsqueeze(0),
        lambda tensor: tensor.detach(),
        lambda tensor: tensor.numpy(),
        lambda tensor: tensor.numpy()[1:].T,
        lambda tensor: tensor.untyped_storage(),
        lambda tensor: memoryview(tensor.numpy()),
        lambda tensor: torch.ones(3, 4, requires_grad=True) * tensor,
        lambda tensor: {"nested": [tensor.mT]},
    ],
    ids=[
        "itself",
        "slice",
        "view",
        "detached",
        "array",
        "array's view",
        "storage",
        "memoryview",
        "saved by autograd",
        "nested",
    ],
)
def test_memory_is_not_used_again_before_its_last_user_is_gone(keep):
    buffers = ImageBuffers()
    tensor = buffers.take((3, 4))
    address = tensor.data_ptr()
    kept = keep(tensor)
    del tensor
    assert address not in addresses(buffers, (3, 4))
    del kept
    gc.collect()
    assert address in addresses(buffers, (3, 4))


def test_a_shorter_tensor_takes_a_longer_block_and_a_much_shorter_one_does_not():
    buffers = ImageBuffers()
    address = buffers.take((8, 100)).data_ptr()
    assert address not in addresses(buffers, (3, 100), 2)
    assert address in addresses(buffers, (5, 100), 2)
    assert address in addresses(buffers, (8, 100), 1)  # nothing of it was lost
    assert address not in addresses(buffers, (9, 100), 1)


def test_no_more_blocks_are_kept_than_two_batches_need():
    buffers = ImageBuffers()
    held = [buffers.take((10,)) for _ in range(3 * KEPT)]
    before = {tensor.data_ptr() for tensor in held}
    held.clear()
    assert len(buffers._free) == KEPT
    after = [buffers.take((10,)) for _ in range(KEPT)]
    assert {tensor.data_ptr() for tensor in after} <= before
    assert len(buffers._free) == 0


def test_cleared_buffers_keep_nothing_that_was_or_is_in_use():
    buffers = ImageBuffers()
    first, second = buffers.take((10,)), buffers.take((10,))
    del first
    buffers.clear()
    assert len(buffers._free) == 0
    second.fill_(1.0)
    del second
    assert len(buffers._free) == 0


def test_an_exception_leaves_nothing_in_use():
    buffers = ImageBuffers()

    def step():
        tensor = buffers.take((10,))
        seen.append(tensor.data_ptr())
        raise RuntimeError("on purpose")

    seen = []
    with pytest.raises(RuntimeError, match="on purpose"):
        step()
    gc.collect()
    assert set(seen) <= addresses(buffers, (10,))


def test_tensors_outlive_their_buffers():
    buffers = ImageBuffers()
    tensor = buffers.take((10,)).fill_(5.0)
    del buffers
    gc.collect()
    assert tensor.tolist() == [5.0] * 10


def test_threads_never_share_a_block():
    buffers, wrong = ImageBuffers(), []

    def work(mark):
        for _ in range(300):
            one, other = buffers.take((50,)), buffers.take((30,))
            one.fill_(mark)
            other.fill_(-mark)
            if not (one == mark).all() or not (other == -mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(buffers._free) == KEPT


def test_a_copy_in_another_process_starts_empty():
    buffers = ImageBuffers()
    del [buffers.take((10,))][:]
    copy = pickle.loads(pickle.dumps(buffers))
    assert (len(buffers._free), len(copy._free)) == (1, 0)
    assert len(pickle.dumps(buffers)) < 200


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_starts_empty_and_leaves_the_parent_its_blocks():
    buffers = ImageBuffers()
    tensor = buffers.take((10,)).fill_(1.0)
    del [buffers.take((10,))][:]
    (block,) = buffers._free
    child = os.fork()
    if child == 0:
        own = buffers.take((10,)).numpy()
        os._exit(int(np.shares_memory(own, block) or len(buffers._free) > 0))
    assert os.waitpid(child, 0)[1] == 0
    assert block.ctypes.data in addresses(buffers, (10,))
    assert np.array_equal(tensor.numpy(), np.ones(10))
