"""From a table to a data set: roles are proposed, corrected, applied, checked, and the arrays are built.

``propose`` (which column is what), ``apply`` (samples in rows, parts taken apart), ``check`` (what is wrong),
``build`` (arrays); ``validate`` runs them in their order.
"""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "Roles": "roles",
        "propose": "propose",
        "to_dataset": "validate",
        "validate": "validate",
    },
)
