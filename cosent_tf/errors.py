"""The one exception that is meant for a person: wrong usage or wrong input."""


class UserError(Exception):
    """What was wrong, where, and what to do about it, in one line.

    Every script prints the message on stderr and ends with exit code 2, without a traceback.
    """
