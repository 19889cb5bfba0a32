"""What rewritten code calls inside of the interpreter, in the place of what Python has and the interpreter lacks.

Invariant: each does what Python does, for every value that Python takes there.
"""

# A user's code may have a name that Python has, too: the text keeps the builtin of that name beforehand.
SUBSTITUTES = """
import collections as _baton_collections
import itertools as _baton_itertools
import json as _baton_json

_baton_zip, _baton_reversed, _baton_round = zip, reversed, round
_baton_by_order, _baton_least, _baton_most = sorted, min, max
_baton_ORDERS, _baton_SHUT, _baton_set = {}, {}, setattr


class generator:
    def __init__(self, make, items):
        self._baton_make, self._baton_left, self._baton_ready = make, iter(items), []

    def __iter__(self):
        return self

    def __next__(self):
        while not self._baton_ready:
            self._baton_ready = self._baton_make(next(self._baton_left))
        return self._baton_ready.pop(0)


_baton_lazy = generator


def _baton_listed(value):
    return list(value) if isinstance(value, _baton_lazy) else value


def _baton_lazy_map(function, *items):
    return _baton_lazy(lambda each: [function(*each)], _baton_lazy_zip(*items))


def _baton_lazy_filter(holds, items):
    return _baton_lazy(lambda each: [each] if (each if holds is None else holds(each)) else [], items)


def _baton_lazy_zip(*items, strict=False):
    if strict or not items:
        return _baton_lazy(lambda each: [each], _baton_zip(*items, strict=strict) if strict else [])
    taken = [iter(each) for each in items]
    return _baton_lazy(lambda _: [tuple([next(each) for each in taken])], _baton_itertools.repeat(None))


def _baton_lazy_enumerate(items, start=0):
    numbers = _baton_itertools.count(start)
    return _baton_lazy(lambda each: [(next(numbers), each)], items)


def _baton_lazy_reversed(items):
    return _baton_lazy(lambda each: [each], _baton_reversed(items))


def _baton_span(days=0, seconds=0, microseconds=0, milliseconds=0, minutes=0, hours=0, weeks=0):
    units = [86_400_000_000, 1_000_000, 1, 1_000, 60_000_000, 3_600_000_000, 604_800_000_000]
    given = [days, seconds, microseconds, milliseconds, minutes, hours, weeks]
    whole = sum([int(value) * unit for value, unit in _baton_zip(given, units)])
    rest = sum([(value - int(value)) * unit for value, unit in _baton_zip(given, units)])
    odd = whole % 2  # half a microsecond goes to the even neighbour of the whole sum
    all_seconds, left = divmod(whole - odd + round(rest + odd), 1_000_000)
    whole_days, left_seconds = divmod(all_seconds, 86_400)
    return _baton_timedelta(whole_days, left_seconds, left)


def _baton_rounded(number, ndigits=None):
    if ndigits is None:
        return _baton_round(number)
    is_exact = isinstance(number, float) and 0 <= ndigits < 99  # the interpreter's own goes by a product
    return float(f"{number:.{ndigits}f}") if is_exact else _baton_round(number, ndigits)


def _baton_in_place(sign, owner, other):
    if isinstance(owner, list) and sign == "+" and not isinstance(other, list):
        owner.extend(other)
    elif isinstance(owner, set) and isinstance(other, (set, frozenset)):
        kept = owner | other if sign == "|" else owner & other if sign == "&" else owner - other
        kept = owner ^ other if sign == "^" else kept
        owner.clear()
        owner.update(kept)
    elif isinstance(owner, list) and sign == "*":
        kept = owner * other
        owner.clear()
        owner.extend(kept)
    elif sign == "+":
        owner += other
    elif sign == "*":
        owner *= other
    elif sign == "-":
        owner -= other
    elif sign == "|":
        owner |= other
    elif sign == "&":
        owner &= other
    else:
        owner ^= other
    return owner


def _baton_own(function):
    if function is _baton_asyncio.gather:
        return _baton_gather
    if function is _baton_json.dumps:
        return _baton_dumps
    if function is type:
        return _baton_type
    return _baton_span if function is _baton_timedelta else function


def _baton_del(owner, key):
    if isinstance(owner, _baton_collections.Counter):
        owner.pop(key, None)
    elif isinstance(owner, dict):
        owner.pop(key)
    elif isinstance(owner, list) and isinstance(key, slice):
        for at in sorted(range(len(owner))[key], reverse=True):
            owner.pop(at)
    elif isinstance(owner, list):
        if not -len(owner) <= key < len(owner):
            raise IndexError("list assignment index out of range")
        owner.pop(key)
    elif isinstance(owner, _baton_collections.deque):
        if not -len(owner) <= key < len(owner):
            raise IndexError("deque index out of range")
        at = key % len(owner)
        owner.rotate(-at)
        owner.popleft()
        owner.rotate(at)
    else:
        raise TypeError(f"'{str(type(owner))[8:-2]}' object doesn't support item deletion")


def _baton_subbed(pattern, repl, string, count=0):
    if isinstance(repl, str):
        return pattern.sub(repl, string, count)
    parts, end = [], 0
    for found in pattern.finditer(string):
        parts += [string[end : found.start()], repl(found) or ""]
        end, count = found.end(), count - 1
        if count == 0:
            break
    return "".join([*parts, string[end:]])


def _baton_re_sub(pattern, repl, string, count=0, flags=0):
    compiled = _baton_re.compile(pattern, flags) if isinstance(pattern, str) else pattern
    return _baton_subbed(compiled, repl, string, count)


def _baton_re_finditer(pattern, string, flags=0):
    return _baton_lazy(lambda each: [each], _baton_re.finditer(pattern, string, flags))


def _baton_owned_sub(owner, *args, **kwargs):
    kind = str(type(owner))
    if kind == "<class 're.Pattern'>":
        return _baton_subbed(owner, *args, **kwargs)
    return _baton_re_sub(*args, **kwargs) if kind == "<class 'module'>" else owner.sub(*args, **kwargs)


def _baton_owned_finditer(owner, *args, **kwargs):
    kind = str(type(owner))
    if kind == "<class 're.Pattern'>":
        return _baton_lazy(lambda each: [each], owner.finditer(*args, **kwargs))
    return _baton_re_finditer(*args, **kwargs) if kind == "<class 'module'>" else owner.finditer(*args, **kwargs)


_baton_is, _baton_ENUMS = isinstance, {}


class _baton_Member:
    def __init__(self, kind, name, value, style):
        self._baton_kind, self.name, self.value, self._baton_style = kind, name, value, style

    def __repr__(self):
        return f"<{self._baton_kind}.{self.name}: {self.value!r}>"

    def __str__(self):
        return self.value if self._baton_style == "text" else f"{self._baton_kind}.{self.name}"

    def __eq__(self, other):
        if _baton_is(other, _baton_Member) and other._baton_kind == self._baton_kind:
            return self.name == other.name
        return self._baton_style != "" and self.value == (other.value if _baton_is(other, _baton_Member) else other)

    def __hash__(self):
        return hash(self.value if self._baton_style else self.name)

    def __add__(self, other):
        return self._baton_word("+") + _baton_plain(other, False)

    def __radd__(self, other):
        return other + self._baton_word("+")

    def __getitem__(self, key):
        return self._baton_word("[]")[key]

    def __contains__(self, part):
        return _baton_plain(part, False) in self._baton_word("in")

    def _baton_word(self, sign):
        if self._baton_style:
            return self.value
        raise TypeError(f"unsupported operand type(s) for {sign}: '{self._baton_kind}'")


class EnumType:
    def __init__(self, kind, members, style):
        self._baton_kind, self._baton_members, self.__name__ = kind, [], kind
        for name, value in members:
            found = [each for each in self._baton_members if each.value == value]
            if not found:
                found = [_baton_Member(kind, name, value, style)]
                self._baton_members += found
            _baton_set(self, name, found[0])
        _baton_ENUMS[kind] = self

    def __call__(self, value):
        for each in self._baton_members:
            if each is value or each.value == value:
                return each
        raise ValueError(f"{value!r} is not a valid {self._baton_kind}")

    def __getitem__(self, name):
        for each in self._baton_members:
            if each.name == name:
                return each
        raise KeyError(name)

    def __iter__(self):
        return iter(self._baton_members)

    def __contains__(self, value):
        return any([each == value or each.value == value for each in self._baton_members])


_baton_Enum = EnumType


def _baton_plain(value, is_any=True):
    if not _baton_ENUMS:
        return value
    if _baton_is(value, _baton_Member):
        return value.value if is_any or value._baton_style else value
    if _baton_is(value, dict):
        return {_baton_plain(name, is_any): _baton_plain(item, is_any) for name, item in value.items()}
    if _baton_is(value, list):
        return [_baton_plain(item, is_any) for item in value]
    if _baton_is(value, tuple):
        return tuple([_baton_plain(item, is_any) for item in value])
    return {_baton_plain(item, is_any) for item in value} if _baton_is(value, (set, frozenset)) else value


def _baton_type(value):
    return _baton_ENUMS[value._baton_kind] if _baton_is(value, _baton_Member) else type(value)


def _baton_dumps(value, **options):
    return _baton_json.dumps(_baton_plain(value, False), **options)


class _baton_Joins:
    def __init__(self, between):
        self._baton_between = between

    def join(self, items):
        return self._baton_between.join(_baton_plain(list(items), False))


def _baton_joins(owner):
    between = _baton_plain(owner, False)
    return _baton_Joins(between) if _baton_ENUMS and _baton_is(between, str) else owner


def _baton_rank(value):
    if _baton_is(value, (int, str)):
        return value
    if _baton_is(value, _baton_Member):
        return value.value if value._baton_style else value
    if _baton_is(value, (list, tuple)):
        ranks = [_baton_rank(item) for item in value]
        return ranks if _baton_is(value, list) else tuple(ranks)
    fields = _baton_ORDERS.get(str(type(value))[8:-2])
    if fields is None:
        return value
    # Of one class alone, and no object is ordered beside a tuple.
    return _baton_collections.deque([type(value), *[_baton_rank(getattr(value, name)) for name in fields]])


def _baton_ranked(key):
    if not _baton_ENUMS and not _baton_ORDERS:
        return {} if key is None else {"key": key}
    return {"key": lambda each: _baton_rank(each if key is None else key(each))}


def _baton_sorted(items, *, key=None, reverse=False):
    return _baton_by_order(items, reverse=reverse, **_baton_ranked(key))


def _baton_min(*items, key=None, **default):
    return _baton_least(*items, **default, **_baton_ranked(key))


def _baton_max(*items, key=None, **default):
    return _baton_most(*items, **default, **_baton_ranked(key))


def _baton_owned_sort(owner, *args, key=None, **options):
    if not _baton_is(owner, list):
        return owner.sort(*args, key=key, **options) if key else owner.sort(*args, **options)
    return owner.sort(*args, **options, **_baton_ranked(key))


def _baton_isinstance(value, kinds):
    if _baton_is(kinds, tuple):
        return any([_baton_isinstance(value, each) for each in kinds])
    if _baton_is(kinds, _baton_Enum):
        return _baton_is(value, _baton_Member) and value._baton_kind == kinds._baton_kind
    if _baton_is(value, _baton_Member):
        return value._baton_style != "" and _baton_is(value.value, kinds)
    return _baton_is(value, kinds)


def _baton_settable(owner, name):
    found = _baton_SHUT.get(str(type(owner))[8:-2], {}).get(name)
    if found == "is frozen":
        raise ValueError(f"{str(type(owner))[8:-2]}: {name}: it {found}")
    if found is not None:
        raise TypeError(f"{str(type(owner))[8:-2]}.{name} {found}, which a workflow does not do; make another one")
    return owner


def _baton_setattr(owner, name, value):
    _baton_set(_baton_settable(owner, name), name, value)


def _baton_text(value):
    return value if isinstance(value, str) else str(value)
"""
# Builtins that are lists in the interpreter, do not know its enums or round otherwise, and their names here.
SUBSTITUTED = {name: f"_baton_lazy_{name}" for name in ("map", "filter", "zip", "enumerate", "reversed")}
SUBSTITUTED |= {"isinstance": "_baton_isinstance", "round": "_baton_rounded", "sorted": "_baton_sorted"}
SUBSTITUTED |= {"min": "_baton_min", "max": "_baton_max", "setattr": "_baton_setattr"}
# The class of an enum's members.
MEMBER = "_baton_Member"
# Names of the interpreter's modules that are substituted, too.
STANDARD = {
    ("asyncio", "TaskGroup"): "_baton_TaskGroup",
    ("re", "sub"): "_baton_re_sub",
    ("re", "finditer"): "_baton_re_finditer",
}
