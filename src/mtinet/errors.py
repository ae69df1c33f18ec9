"""The one exception that the stages turn into a one-line message."""


class UserError(Exception):
    """Something that the user can put right.

    The message is one line: what was found, what was expected, where, and what to do.
    """
