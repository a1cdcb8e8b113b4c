"""The exceptions that are meant for a person."""


class UserError(Exception):
    """Wrong usage or wrong input: what was wrong, where, and what to do about it, in one line.

    Every script prints the message on stderr and ends with `exit_code`, without a traceback.
    """

    exit_code = 2


class RunError(UserError):
    """A run that cannot go on although usage and input are right: NaN loss, Ctrl-C, …"""

    exit_code = 1


class WriteError(RunError):
    """The file system refuses a file: disk full, read-only folder, …"""
