"""How the learning rate goes over a run: a factor on each parameter group's own rate."""

import math


def cosine(step: int, steps: int, *, warmup: int, final: float) -> float:
    """Linear warm-up, then half a cosine from 1 down to `final` (Loshchilov and Hutter, 2017, SGDR, eq. 5).

    Args:
        step: counts from 0; the factor is that of the step's own update.
        steps: of the whole run.
        warmup: steps over which the factor rises to 1.
        final: the factor at the last step.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - 1 - warmup)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
