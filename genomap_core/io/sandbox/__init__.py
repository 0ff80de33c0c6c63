"""Files from outside are parsed in a process of their own, with little memory and time."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "FileLimits": "limits",
        "run_in_child": "call",
    },
)
