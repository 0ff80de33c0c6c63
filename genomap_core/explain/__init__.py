"""Why a model answers as it does: Captum on networks, map regions for any model, and checks of both.

Importing this loads neither torch nor Captum; they come with the first explanation.

``from genomap_core import explain`` finds the function at first and this package ever after, as Python binds a package
to its parent once it is imported: so the package can be called too, and is then :func:`explain`.
"""

import sys
from types import ModuleType

from genomap_core.explain.attribution import Agreement, Attribution, agreement
from genomap_core.explain.entry import METHODS, explain, model_regions


class _CallablePackage(ModuleType):
    __call__ = staticmethod(explain)


sys.modules[__name__].__class__ = _CallablePackage

__all__ = ["METHODS", "Agreement", "Attribution", "agreement", "explain", "model_regions"]
