"""How the learning rate goes over a run: a factor on each parameter group's own rate."""

import math
from typing import Literal, TypeAlias

Schedule: TypeAlias = Literal["cosine", "linear", "wsd", "constant"]


def rate_factor(
    schedule: Schedule, step: int, steps: int, *, warmup: int, final: float, decay: float
) -> float:
    """Linear warm-up to 1, then by `schedule` to `final` at the last step.

    Args:
        schedule: cosine: half a cosine (Loshchilov and Hutter, 2017, SGDR, eq. 5). linear: a straight line.
            wsd: 1 until the last `decay` of the run, then a straight line (Hu et al., 2024, MiniCPM).
            constant: 1.
        step: counts from 0; the factor is that of the step's own update.
        steps: of the whole run.
        warmup: steps over which the factor rises to 1.
        final: the factor at the last step.
        decay: the share of the run that wsd falls over.
    """
    if step < warmup:
        return (step + 1) / warmup
    begin = max(warmup, round(steps * (1 - decay))) if schedule == "wsd" else warmup
    done = min(1.0, max(0.0, (step - begin) / max(1, steps - 1 - begin)))
    if schedule == "constant":
        return 1.0
    falling = 0.5 * (1 + math.cos(math.pi * done)) if schedule == "cosine" else 1 - done
    return final + (1 - final) * falling
