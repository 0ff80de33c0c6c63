"""The errors that a user may see. Each message says what is wrong, where, and how to mend it."""


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


class Cancelled(GenomapError):
    """The user stopped the work. Let it pass."""
