"""One function per job of the user; a folder is a subject. Each takes values and frozen options and returns values."""
