"""The one error of the local stack that a person is meant to read.

Its text is one clear line that names the offending value and the way out; the command line prints it and ends with
exit code 1, without a traceback. Programming errors must not be wrapped in it.
"""


class StackError(Exception):
    """The local stack cannot start or go on, for a reason that the person at the keyboard can act on."""
