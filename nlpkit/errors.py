"""What can go wrong, in one sentence each.

Every error that a user can cause is a `NlpkitError` whose message is one sentence that names the file,
option or line and the fix. The command line prints that sentence and exits with `exit_code`.
"""


class NlpkitError(ValueError):
    """Something failed for a reason that the message states: exit code 1."""

    exit_code = 1


class UsageError(NlpkitError):
    """The request itself is wrong (an option, a name, a path that is not there): exit code 2."""

    exit_code = 2


class CorruptFileError(NlpkitError):
    """A file is truncated, has the wrong checksum, or is not what its name says."""


class VocabularyMismatchError(NlpkitError):
    """Two artefacts were made with different vocabularies."""
