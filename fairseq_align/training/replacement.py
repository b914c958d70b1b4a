"""Replacing a function of another package by a wrapper of it."""

import builtins
import functools
import inspect
from collections.abc import Callable

MARK = "replaced_by_fairseq_align"


def replace(owner: object, attribute: str, wrapper: Callable) -> None:
    """Make ``owner.attribute(...)`` call ``wrapper(stock, ...)``; what has been replaced already stays as it is.

    Args:
        owner: a module or a class.
        attribute: the name of a function, a method, a static method or a class that is only called; or of a function of
            ``builtins``, which the module then has for itself.
        wrapper: its first argument is what was there.

    >>> import math
    >>> replace(math, "fabs", lambda stock, x: -stock(x))
    >>> math.fabs(-2), is_replaced(math, "fabs")
    (-2.0, True)
    >>> math.fabs = math.fabs.__wrapped__
    """
    if is_replaced(owner, attribute):
        return
    stock = getattr(owner, attribute, None) or getattr(builtins, attribute)

    @functools.wraps(stock, updated=())
    def replacement(*args, **kwargs):
        return wrapper(stock, *args, **kwargs)

    setattr(replacement, MARK, True)
    static = isinstance(inspect.getattr_static(owner, attribute, None), staticmethod)
    setattr(owner, attribute, staticmethod(replacement) if static else replacement)


def is_replaced(owner: object, attribute: str) -> bool:
    """Whether ``replace`` has been here."""
    return hasattr(getattr(owner, attribute, None), MARK)
