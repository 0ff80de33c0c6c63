"""The errors that a user may see. Each message says what is wrong, where, and how to mend it."""

from __future__ import annotations

import errno


class GenomapError(Exception):
    """Root of every error this library raises on purpose."""


class InputError(GenomapError, ValueError):
    """A file, table or argument can't be used as it is."""


class RefusedError(InputError):
    """Input that is not even tried: it breaks a safety rule or a size limit."""


class LayoutError(GenomapError, ValueError):
    """Features and grid do not fit together."""


class BundleError(InputError):
    """A saved model can't be loaded, or belongs to other features."""


class WeightsMissingError(GenomapError):
    """No weights of a tabular foundation model are on this machine."""


class ModelLimitError(GenomapError, ValueError):
    """The data are beyond what a model accepts: rows, features, classes or memory."""


class OutOfMemoryError(GenomapError, MemoryError):
    """The device's memory is too small for the work."""


class JobError(GenomapError):
    """A job can't be submitted, found or read."""


class StorageError(GenomapError):
    """Nothing can be stored: the disk is full, or a folder can't be written to."""

    @classmethod
    def of(cls, error: OSError) -> StorageError:
        """In words for the user; the path stays out, it may name a person."""
        why = _CAUSES.get(error.errno or 0)
        if why is None:
            why = f"Reading or writing the working folder failed ({errno.errorcode.get(error.errno or 0, 'unknown')})."
        return cls(f"{why} What was finished before is kept.")


_FULL = "The disk is full: delete old jobs or other files, then try again."
_CLOSED = "The working folder can't be written to: set GENOMAP_HOME to a folder of your own, then start again."
_CAUSES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL) | dict.fromkeys(
    (errno.EROFS, errno.EACCES, errno.EPERM), _CLOSED
)
STORAGE_ERRORS = frozenset(_CAUSES)
"""Numbers of the system's errors that mean a full disk or a folder that can't be written to."""


class Cancelled(GenomapError):
    """The user stopped the work. Let it pass."""
