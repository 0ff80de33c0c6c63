"""Tables from files of any kind, and tables that leave the program."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "csv_table": "export",
        "read_table": "read",
    },
)
