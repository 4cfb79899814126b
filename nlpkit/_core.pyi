"""nlpkit's compiled kernels; use the Python packages above them."""

def simd_level() -> str:
    """The instruction level that the kernels run at on this machine."""

def resolve_threads(requested: int = 0) -> int:
    """
    The number of threads used for a request; 0 asks for all that this process may run on.
    """
