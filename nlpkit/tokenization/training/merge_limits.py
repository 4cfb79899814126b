"""`MergeLimits`: what training leaves unmerged."""

from dataclasses import dataclass, fields

from nlpkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class MergeLimits:
    """What is not merged.

    Args:
        min_count: a pair must occur this often (1 is the default of Hugging Face's trainer too).
        max_token_bytes: no token gets longer than this; None is any length.
        prune_below: pre-tokens that occur fewer times are left out, to save memory; 1 keeps all.

    Raises:
        UsageError: one of them is below 1, or does not fit 32 bits.
    """

    min_count: int = 1
    max_token_bytes: int | None = None
    prune_below: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not 1 <= value < 2**32:
                option = f"--{field.name.replace('_', '-')} {value}"
                raise UsageError(
                    f"{option} is too {'small' if value < 1 else 'large'}: give 1 to {2**32 - 1}."
                )

    def __str__(self) -> str:
        limits = [f"occur {self.min_count} times"] if self.min_count > 1 else []
        if self.max_token_bytes is not None:
            limits.append(f"make at most {self.max_token_bytes} bytes")
        pairs = f"pairs that {' and '.join(limits)}" if limits else "pairs to merge"
        if self.prune_below == 1:
            return pairs
        return f"{pairs} (in pre-tokens that occur {self.prune_below} times)"


NO_LIMITS = MergeLimits()
