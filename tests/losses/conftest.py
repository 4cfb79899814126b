from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_seeded_thread() -> Iterator[None]:
    """These tensors are small: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
