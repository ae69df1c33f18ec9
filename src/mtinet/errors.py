"""The exceptions that the stages turn into a one-line message, and where that comes with its trace."""

import os

DEBUG = "MTINET_DEBUG"  # in the environment; `mtinet --debug` sets it for the stages that it starts


def debugging() -> bool:
    """Whether errors are to be shown with their trace: where MTINET_DEBUG is neither empty nor 0."""
    return os.environ.get(DEBUG, "0") not in ("", "0")


class UserError(Exception):
    """Something that the user can put right.

    The message is one line: what was found, what was expected, where, and what to do.
    """


class Interrupted(BaseException):
    """The process was told to leave; what it had done is kept, and the same command goes on from there.

    No Exception, as KeyboardInterrupt is none: nobody may take it for a failure to get over.
    """
