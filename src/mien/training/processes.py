"""Training in several processes: the place of this one among them, and what all have to agree on.

``torchrun``, ``srun`` and ``mien train --devices`` start the same command in every process. The
first process does everything that is done once, such as writing the run; the others get its path,
and take the training steps with it (`mien.training.join.join`). In a training of one process the
functions below do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mien.errors import MienError, RunError, first_line

if TYPE_CHECKING:
    from lightning.fabric.plugins import ClusterEnvironment
    from torch import Tensor

_WAIT: Final = timedelta(hours=2)  # for the first process, which may have to read a large data set


class LostProcessError(RunError):
    """Another process of the training has ended, so that this one cannot go on."""


@dataclass(frozen=True)
class Place:
    """The place of this process among those of a training.

    Args:
        rank: number of this process, from 0.
        size: number of processes.
        local_rank: number of this process among those of its machine, from 0.
        local_size: number of processes of its machine.
        restarts: number of times that torchrun has restarted the processes.
        by_slurm: whether SLURM has started them.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    restarts: int = 0
    by_slurm: bool = False

    @property
    def nodes(self) -> int:
        """The number of machines."""
        return self.size // self.local_size

    def cluster(self) -> ClusterEnvironment:
        """Return Lightning's description of the processes."""
        from lightning.fabric.plugins.environments.lightning import LightningEnvironment
        from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
        from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

        if self.size == 1:
            return LightningEnvironment()
        return SLURMEnvironment(auto_requeue=False) if self.by_slurm else TorchElasticEnvironment()


def find_place() -> Place:
    """Return the place of this process, as torchrun or srun state it in the environment.

    Raises:
        MienError: if the environment is incomplete.
    """
    try:
        if "TORCHELASTIC_RUN_ID" in os.environ:
            return Place(
                rank=_number("RANK"),
                size=_number("WORLD_SIZE"),
                local_rank=_number("LOCAL_RANK"),
                local_size=_number("LOCAL_WORLD_SIZE"),
                restarts=_number("TORCHELASTIC_RESTART_COUNT"),
            )
        if "SLURM_STEP_NUM_TASKS" not in os.environ:  # set by srun, not by sbatch
            return Place()
        size, nodes = _number("SLURM_STEP_NUM_TASKS"), _number("SLURM_STEP_NUM_NODES")
        if size % nodes:
            raise MienError(
                f"srun: {size} tasks on {nodes} nodes, expected as many tasks on each node; "
                "set --ntasks-per-node"
            )
        return Place(
            rank=_number("SLURM_PROCID"),
            size=size,
            local_rank=_number("SLURM_LOCALID"),
            local_size=size // nodes,
            by_slurm=size > 1,
        )
    except (KeyError, ValueError) as error:
        raise MienError(
            f"the environment of torchrun or srun is incomplete ({error}); start the training "
            "anew, or set nothing of it by hand"
        ) from None


@contextmanager
def joined(place: Place) -> Iterator[None]:
    """Connect the processes of a training inside this block.

    Raises:
        MienError: if they do not reach each other.
    """
    if place.size == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    if place.by_slurm:
        cluster = place.cluster()
        os.environ["MASTER_ADDR"] = cluster.main_address
        os.environ["MASTER_PORT"] = str(cluster.main_port)
        os.environ["RANK"], os.environ["WORLD_SIZE"] = str(place.rank), str(place.size)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_WAIT
        )
    except (RuntimeError, ValueError) as error:
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise MienError(
            f"{where}: the processes of this training do not reach each other there "
            f"({first_line(error)}); check the network between the machines"
        ) from None
    try:
        yield
    finally:
        dist.destroy_process_group()


def told_by_first(text: str = "") -> str:
    """Return the text of the first process, in every process."""
    texts = [text]
    if _connected():
        import torch.distributed as dist

        dist.broadcast_object_list(texts, src=0)
    return texts[0]


def first_says(answer: bool) -> bool:
    """Return the answer of the first process, in every process."""
    return bool(told_by_first("yes" if answer else "")) if _connected() else answer


def any_says(answer: bool) -> bool:
    """Return whether any process answers yes, in every process."""
    if not _connected():
        return answer
    import torch
    import torch.distributed as dist

    answers = torch.tensor([int(answer)])
    dist.all_reduce(answers, dist.ReduceOp.MAX)
    return bool(answers.item())


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, in every process. Shape: any -> the same."""
    if not _connected():
        return values
    import torch.distributed as dist

    dist.all_reduce(values)
    return values


def is_lost_connection(error: Exception) -> bool:
    """Whether an error says that another process of the training has ended."""
    import torch.distributed as dist

    return _connected() and (isinstance(error, dist.DistError) or "gloo" in str(error).lower())


def _number(variable: str) -> int:
    return int(os.environ[variable])


def _connected() -> bool:
    import torch.distributed as dist

    return dist.is_available() and dist.is_initialized()
