"""What the Learn page demonstrates, computed: nothing here is drawn."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "growth_lesson": "growth",
    },
)
