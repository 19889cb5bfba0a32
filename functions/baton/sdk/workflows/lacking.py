"""What the interpreter lacks of Python's own: names that a registry refuses, with the way out, before a job fails.

Invariant: the tables hold for the interpreter that is locked; a test tries each name in it. Must not: import it.
"""

import builtins
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache

TOOL = "move it into a @tool, which is ordinary Python"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EXCEPTIONS = _names(
    "BaseExceptionGroup BlockingIOError BrokenPipeError BufferError BytesWarning ChildProcessError"
    " ConnectionAbortedError ConnectionError ConnectionRefusedError ConnectionResetError"
    " DeprecationWarning EOFError EncodingWarning EnvironmentError ExceptionGroup FloatingPointError"
    " FutureWarning GeneratorExit IOError ImportWarning IndentationError InterruptedError"
    " PendingDeprecationWarning ProcessLookupError ReferenceError ResourceWarning RuntimeWarning"
    " StopAsyncIteration SyntaxWarning SystemError TabError UnicodeError UnicodeTranslateError"
    " UnicodeWarning UserWarning Warning"
)
_WAYS = {
    "callable": "compare with None, or ask isinstance(…)",
    "classmethod": "write a function beside the class",
    "delattr": "set it to None",
    "input": "use await approval(…), or wait_for_event(…)",
    "staticmethod": "write a function beside the class",
    "super": "a class may not inherit here",
    ".utcnow": "write datetime.now(timezone.utc)",
    "collections.OrderedDict": "use a dict, which keeps its order",
    "dataclasses.asdict": "build it from the fields",
    "dataclasses.replace": "build it from the fields",
    "datetime.UTC": "write datetime.timezone.utc",
    "time.sleep": "write await sleep(seconds)",
    "typing.cast": "leave it out",
}
_FUNCTIONS = _names(
    "__import__ aiter anext ascii breakpoint bytearray callable classmethod compile copyright credits"
    " delattr dir exec exit globals help input issubclass license locals memoryview open quit staticmethod"
    " super vars"
)
# Those of asyncio are told apart by what works there.
LACKING: Mapping[str, frozenset[str]] = {
    "base64": frozenset({"decode", "encode"}),
    "collections": frozenset({"ChainMap", "OrderedDict", "UserDict", "UserList", "UserString"}),
    "dataclasses": _names("Field InitVar KW_ONLY asdict astuple fields make_dataclass replace"),
    "datetime": frozenset({"MAXYEAR", "MINYEAR", "UTC", "tzinfo"}),
    "functools": _names(
        "WRAPPER_ASSIGNMENTS WRAPPER_UPDATES cached_property cmp_to_key partialmethod singledispatch"
        " singledispatchmethod total_ordering update_wrapper wraps"
    ),
    "hashlib": frozenset({"file_digest"}),
    "json": frozenset({"JSONDecoder", "JSONEncoder"}),
    "random": frozenset({"SystemRandom"}),
    "re": _names("L LOCALE RegexFlag U UNICODE VERBOSE X purge subn template"),
    "time": _names(
        "CLOCK_BOOTTIME CLOCK_MONOTONIC CLOCK_MONOTONIC_RAW CLOCK_PROCESS_CPUTIME_ID CLOCK_REALTIME"
        " CLOCK_TAI CLOCK_THREAD_CPUTIME_ID clock_getres clock_gettime clock_gettime_ns clock_settime"
        " clock_settime_ns get_clock_info pthread_getcpuclockid sleep struct_time tzset"
    ),
    "typing": _names(
        "Concatenate ForwardRef ParamSpec TypeVarTuple AbstractSet ByteString Container ContextManager"
        " Hashable ItemsView KeysView MappingView MutableMapping MutableSequence MutableSet Sized"
        " ValuesView Awaitable AsyncIterator AsyncIterable Coroutine Collection AsyncGenerator"
        " AsyncContextManager Reversible SupportsAbs SupportsBytes SupportsComplex SupportsFloat"
        " SupportsIndex SupportsInt SupportsRound ChainMap Counter Deque DefaultDict OrderedDict"
        " NamedTuple TypedDict BinaryIO IO Match Pattern TextIO AnyStr assert_type assert_never cast"
        " clear_overloads dataclass_transform final get_args get_origin get_overloads get_type_hints"
        " is_typeddict LiteralString NewType no_type_check no_type_check_decorator NotRequired overload"
        " ParamSpecArgs ParamSpecKwargs Required reveal_type runtime_checkable Text TypeAlias TypeGuard"
        " Unpack"
    ),
}
# The methods of a class that the interpreter calls by itself; it passes over all others without a word.
SPECIAL_METHODS = _names(
    "__init__ __post_init__ __repr__ __str__ __eq__ __hash__ __call__ __getitem__ __setitem__"
    " __contains__ __iter__ __next__ __enter__ __exit__ __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__"
    " __truediv__ __floordiv__ __mod__ __pow__ __matmul__ __and__ __or__ __xor__ __lshift__ __neg__"
    " __pos__ __abs__ __invert__ __int__ __float__ __index__ __round__ __divmod__"
)
# Methods of types are no values there, such as `str.lower`, but for those that make an instance.
_TYPES, _MAKING = _names("bytes dict float frozenset int list set str tuple"), _names("bytes.fromhex dict.fromkeys")


# Methods and attributes that no value has there, by names that are no user's words.
LACKING_ATTRIBUTES = _names(
    "__cause__ __context__ __dict__ __doc__ __module__ __notes__ __qualname__ __traceback__ add_note"
    " bit_count bit_length difference_update format_map from_bytes fromisocalendar fromordinal fromtimestamp"
    " intersection_update isocalendar lastgroup lastindex maketrans model_construct model_copy model_dump"
    " model_dump_json model_fields_set model_json_schema model_validate model_validate_json"
    " symmetric_difference_update timetuple to_bytes toordinal utcfromtimestamp utcnow utctimetuple"
    " with_traceback"
)


# Named arguments of functions that the interpreter does not take, by the function's own name.
LACKING_ARGUMENTS = {
    "dumps": _names("check_circular cls default"),
    "loads": _names("cls object_hook object_pairs_hook parse_constant strict"),
    "pow": _names("mod"),
}


def way_around(name: str) -> str:
    """Return what to do without a name of Python's own, or a module's; empty: the interpreter has it."""
    module, _, own = name.rpartition(".")
    if module:
        lacks = own in LACKING.get(module, ())
        return _WAYS.get(name, TOOL) if lacks else ""
    if name in _EXCEPTIONS:
        return f"use {base_of(name)}, which it is one of"
    return _WAYS.get(name, TOOL) if name in _FUNCTIONS else ""


def way_without(attribute: str) -> str:
    """Return what to do without a method that no value has there."""
    return _WAYS.get(f".{attribute}", TOOL)


def base_of(exception: str) -> str:
    """Return the next class that the interpreter has, above an exception of Python's own that it lacks."""
    known: type = getattr(builtins, exception)
    return next(each.__name__ for each in known.__mro__ if each.__name__ not in _EXCEPTIONS)


def is_lacking_exception(name: str) -> bool:
    """Return whether it is an exception of Python's own that the interpreter lacks."""
    return name in _EXCEPTIONS


def is_no_value(type_name: str, method: str) -> bool:
    """Return whether a method of a type, such as `str.lower`, cannot be used without an instance."""
    return type_name in _TYPES and f"{type_name}.{method}" not in _MAKING


_VALUES = (str, bytes, int, float, list, tuple, dict, set, frozenset, datetime, Decimal)


@cache
def is_common(name: str) -> bool:
    """Return whether values of Python's own have an attribute of this name."""
    return any(hasattr(kind, name) for kind in _VALUES)


@cache
def is_method(name: str) -> bool:
    """Return whether it is a method of values of Python's own, which is no value by itself in the interpreter."""
    return not name.startswith("_") and any(callable(getattr(kind, name, None)) for kind in _VALUES)
