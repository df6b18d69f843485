"""What DynamoDB refuses and emulators take: every request of a test and of the local cloud is held
against it, before an emulator sees it.

Each rule has its source. It needs nothing but the standard library, because the emulator of the
local cloud has an environment of its own. Key attributes are named as in our tables: `pk` and `sk`,
and `<index>_pk` and `<index>_sk`.
"""

import functools
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

type Typed = Mapping[str, Any]
"""An item, or a key, as it is sent."""

type Standing = Callable[[str, Typed], Typed | None]
"""What stands in a table under a key; None if nothing does."""

LIMITS: Final = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"
QUERIES: Final = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"
PAGES: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html"
)
EXPRESSIONS: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
    "Expressions.ExpressionAttributeNames.html"
)
TRANSACTIONS: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"
)
READ_TRANSACTIONS: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html"
)
READ_BATCHES: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"
)
WRITE_BATCHES: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"
)
UPDATES: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html"
)
SIZES: Final = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"
)

MAX_ITEM: Final = 400 * 1024
MAX_PK: Final = 2048
MAX_SK: Final = 1024
MAX_LEVELS: Final = 32
MAX_DIGITS: Final = 38
MAX_EXPRESSION: Final = 4096
MAX_REFERENCE: Final = 255
MAX_SUBSTITUTIONS: Final = 2 * 1024 * 1024
MAX_OPERATORS: Final = 300
MAX_IN: Final = 100
MAX_KEYS_READ: Final = 100
MAX_WRITES: Final = 25
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
MAX_ACTIONS: Final = 100
MAX_TRANSACTION_BYTES: Final = 4 * 1024 * 1024
MAX_TOKEN: Final = 36
MAX_PAGE_BYTES: Final = 1024 * 1024

_EXPRESSIONS: Final = (
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "ConditionExpression",
    "UpdateExpression",
)
_TOKEN: Final = re.compile(r"[#:]?\w+|<>|<=|>=|[=<>+\-(),.\[\]]")
_COMPARISONS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
_WORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
_VERBS: Final = frozenset({"SET", "ADD", "REMOVE", "DELETE"})
_SETS: Final = frozenset({"SS", "NS", "BS"})


class Refused(Exception):
    """DynamoDB refuses this request."""

    def __init__(
        self,
        message: str,
        source: str,
        *,
        code: str = "ValidationException",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{message} ({source})")
        self.message = message
        self.source = source
        self.code = code
        self.details = details or {}

    def members(self) -> dict[str, Any]:
        """The body of the response."""
        return {
            "__type": f"com.amazon.coral.validate#{self.code}",
            "message": self.message,
            **self.details,
        }


def check(operation: str, request: Mapping[str, Any], standing: Standing | None = None) -> None:
    """Raises `Refused`. Without `standing`, an update is measured by what it sets alone."""
    match operation:
        case "GetItem":
            _check_key(request["Key"])
            _check_expressions(request)
        case "PutItem":
            _check_item(request["Item"])
            _check_expressions(request)
        case "DeleteItem":
            _check_key(request["Key"])
            _check_expressions(request)
        case "UpdateItem":
            _check_update(request, standing)
        case "Query":
            _check_query(request)
        case "BatchGetItem":
            _check_read_batch(request)
        case "BatchWriteItem":
            _check_write_batch(request)
        case "TransactWriteItems":
            _check_transaction(request, standing)
        case "TransactGetItems":
            _check_read_transaction(request)


# -------------------------------------------------------------------- sizes


def item_bytes(item: Typed) -> int:
    """The size of an item: of its names and its values (`SIZES`)."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Typed) -> int:
    [(kind, inner)] = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "N":
            return _number_bytes(inner)
        case "B":
            return len(b64decode(inner)) if isinstance(inner, str) else len(inner)
        case "L":
            return 3 + sum(1 + value_bytes(one) for one in inner)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_bytes(one) for name, one in inner.items())
        case "SS" | "NS" | "BS":
            return sum(value_bytes({kind[0]: one}) for one in inner)
    return 1


def _number_bytes(text: str) -> int:
    digits = len(text.lstrip("+-").replace(".", "").strip("0"))
    return (digits + 1) // 2 + (2 if text.startswith("-") else 1)


# ------------------------------------------------------------- items and keys


def _check_item(item: Typed) -> None:
    for name, value in item.items():
        _check_value(value)
        _check_key_attribute(name, value)
    if not {"pk", "sk"} <= item.keys():
        raise Refused("One of the required keys was not given a value", LIMITS)
    if item_bytes(item) > MAX_ITEM:
        raise Refused("Item size has exceeded the maximum allowed size", LIMITS)


def _check_key(key: Typed) -> None:
    if set(key) != {"pk", "sk"}:
        raise Refused("The provided key element does not match the schema", LIMITS)
    for name, value in key.items():
        _check_key_attribute(name, value)


def _check_key_attribute(name: str, value: Typed) -> None:
    """Keys are strings of 1 to 2,048 and 1 to 1,024 bytes, those of indexes too (`LIMITS`)."""
    longest = _longest_key(name)
    if longest is None:
        return
    [(kind, text)] = value.items()
    if kind != "S":
        raise Refused(f"Type mismatch for key {name}: expected S, actual {kind}", LIMITS)
    if not text:
        raise Refused(f"The key attribute {name} can't contain an empty string value", LIMITS)
    if len(text.encode()) > longest:
        raise Refused(f"Size of the key {name} has exceeded the limit of {longest} bytes", LIMITS)


@functools.cache
def _longest_key(name: str) -> int | None:
    """The longest value of a key attribute; None for another attribute."""
    if name == "pk" or name.endswith("_pk"):
        return MAX_PK
    if name == "sk" or name.endswith("_sk"):
        return MAX_SK
    return None


def _check_value(value: Typed, level: int = 1) -> None:
    """Levels, digits, and empty sets (`LIMITS`)."""
    if level > MAX_LEVELS:
        raise Refused(f"Nesting levels have exceeded the limit of {MAX_LEVELS}", LIMITS)
    [(kind, inner)] = value.items()
    if kind == "N":
        _check_number(inner)
    elif kind == "L":
        for one in inner:
            _check_value(one, level + 1)
    elif kind == "M":
        for one in inner.values():
            _check_value(one, level + 1)
    elif kind in _SETS and (not inner or len(set(inner)) != len(inner)):
        raise Refused("A set must have elements, each of them once", LIMITS)


def _check_number(text: str) -> None:
    if len(text) <= MAX_DIGITS and text.removeprefix("-").isdecimal():
        return
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Refused("The parameter cannot be converted to a numeric value", LIMITS) from None
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > MAX_DIGITS or not number.is_finite():
        raise Refused("Attempting to store more than 38 significant digits in a Number", LIMITS)
    if number and not Decimal("1E-130") <= abs(number) < Decimal("1E126"):
        raise Refused("A number is beyond what can be stored", LIMITS)


# --------------------------------------------------------------- expressions


class _Read(NamedTuple):
    """What an expression has."""

    tokens: tuple[str, ...]
    names: frozenset[str]
    values: frozenset[str]
    operators: int
    longest_in: int


@functools.lru_cache(4096)
def _read(expression: str, *, is_update: bool) -> _Read:
    tokens = tuple(_TOKEN.findall(expression))
    names = frozenset(word for word in tokens if word.startswith("#"))
    values = frozenset(word for word in tokens if word.startswith(":"))
    return _Read(
        tokens, names, values, _operators(tokens, is_update=is_update), _longest_in(tokens)
    )


def _operators(tokens: Sequence[str], *, is_update: bool) -> int:
    """Of an update, `a = :b + :c` has one: `+`."""
    found = 0
    for word, following in zip(tokens, [*tokens[1:], ""], strict=True):
        is_function = following == "(" and word.isidentifier() and word.upper() not in _WORDS
        is_comparison = word in _COMPARISONS or word.upper() in _WORDS
        found += is_function or word in ("+", "-") or (is_comparison and not is_update)
    # The AND of a BETWEEN is a part of it.
    return found - sum(word.upper() == "BETWEEN" for word in tokens)


def _longest_in(tokens: Sequence[str]) -> int:
    longest = 0
    for place, word in enumerate(tokens):
        if word.upper() == "IN" and tokens[place + 1 : place + 2] == ("(",):
            inside = tokens[place + 2 : tokens.index(")", place)]
            longest = max(longest, 1 + inside.count(","))
    return longest


def _check_expressions(request: Mapping[str, Any]) -> None:
    """Lengths and operators of expressions, and what stands for names and values (`LIMITS`). Each
    of these is used (`EXPRESSIONS`)."""
    names = request.get("ExpressionAttributeNames")
    values = request.get("ExpressionAttributeValues")
    _check_form(
        tuple((field, request[field]) for field in _EXPRESSIONS if field in request),
        None if names is None else frozenset(names),
        None if values is None else frozenset(values),
    )
    substituted = 0
    for one, name in (names or {}).items():
        substituted += len(one) + len(name.encode())
    for one, value in (values or {}).items():
        _check_value(value)
        substituted += len(one) + value_bytes(value)
    if substituted > MAX_SUBSTITUTIONS:
        raise Refused("The names and values of expressions have more than 2 MB", LIMITS)


@functools.lru_cache(4096)
def _check_form(
    expressions: tuple[tuple[str, str], ...],
    names: frozenset[str] | None,
    values: frozenset[str] | None,
) -> None:
    """The expressions of a request, by their fields, and what it gives for them."""
    used_names: set[str] = set()
    used_values: set[str] = set()
    for field, expression in expressions:
        if not expression:
            raise Refused(f"{field} can't be empty", LIMITS)
        if len(expression.encode()) > MAX_EXPRESSION:
            raise Refused(f"Expression size has exceeded the maximum allowed size: {field}", LIMITS)
        read = _read(expression, is_update=field == "UpdateExpression")
        if read.operators > MAX_OPERATORS:
            raise Refused(f"{field} has {read.operators} operators", LIMITS)
        if read.longest_in > MAX_IN:
            raise Refused(f"{field} has an IN of {read.longest_in} operands", LIMITS)
        used_names |= read.names
        used_values |= read.values
    for kind, given, used in (("Names", names, used_names), ("Values", values, used_values)):
        field = f"ExpressionAttribute{kind}"
        if given is not None and not given:
            raise Refused(f"{field} must not be empty", EXPRESSIONS)
        if unused := (given or frozenset()) - used:
            raise Refused(f"{field} has what no expression uses: {sorted(unused)}", EXPRESSIONS)
        if undefined := used - (given or frozenset()):
            raise Refused(f"{field} lacks {sorted(undefined)}", EXPRESSIONS)
        if any(len(one.encode()) > MAX_REFERENCE for one in used):
            raise Refused(f"{field} has a reference of more than 255 bytes", LIMITS)


# ------------------------------------------------------------------- updates


class _Change(NamedTuple):
    """What an update does to one path."""

    verb: str
    path: tuple[str, ...]
    operand: tuple[str, ...]


@functools.lru_cache(4096)
def _changes(expression: str) -> tuple[_Change, ...]:
    """With the references of its text."""
    found = []
    verb, part, depth = "", list[str](), 0
    for word in (*_read(expression, is_update=True).tokens, "SET"):
        depth += (word in "([") - (word in ")]")
        if word.upper() in _VERBS or (word == "," and not depth):
            if part:
                found.append(_change(verb, part))
            part = []
            verb = word.upper() if word != "," else verb
        else:
            part.append(word)
    return tuple(found)


def _change(verb: str, part: Sequence[str]) -> _Change:
    if verb == "SET":
        at = part.index("=")
        return _Change(verb, tuple(part[:at]), tuple(part[at + 1 :]))
    if verb == "REMOVE":
        return _Change(verb, tuple(part), ())
    return _Change(verb, tuple(part[:-1]), tuple(part[-1:]))


def _check_update(request: Mapping[str, Any], standing: Standing | None) -> None:
    """An update changes no key, and no path twice (`UPDATES`). What it makes has a key's values
    and an item's size (`LIMITS`)."""
    _check_key(request["Key"])
    _check_expressions(request)
    if "UpdateExpression" not in request:
        return
    names, values = (
        request.get("ExpressionAttributeNames", {}),
        request.get("ExpressionAttributeValues", {}),
    )
    changes = _changes(request["UpdateExpression"])
    paths = [tuple(names.get(one, one) for one in change.path) for change in changes]
    for place, path in enumerate(paths):
        if path in (("pk",), ("sk",)):
            raise Refused(f"Cannot update attribute {path[0]}: it is part of the key", UPDATES)
        for other in paths[:place]:
            shorter = min(len(path), len(other))
            if path[:shorter] == other[:shorter]:
                raise Refused("Two document paths overlap with each other", UPDATES)
    for change, path in zip(changes, paths, strict=True):
        if change.verb == "SET" and len(path) == len(change.operand) == 1:
            value = values.get(change.operand[0])
            if value is not None:
                _check_key_attribute(path[0], value)
    before = (standing(request["TableName"], request["Key"]) if standing else None) or {}
    if _bytes_after({**before, **request["Key"]}, changes, paths, values) > MAX_ITEM:
        raise Refused("Item size to update has exceeded the maximum allowed size", LIMITS)


def _bytes_after(
    item: Typed,
    changes: Iterable[_Change],
    paths: Iterable[tuple[str, ...]],
    values: Mapping[str, Typed],
) -> int:
    """The size that an update leaves: exact if it sets and removes whole attributes."""
    after = dict(item)
    more = 0
    for change, path in zip(changes, paths, strict=True):
        operand = values.get(change.operand[0]) if len(change.operand) == 1 else None
        if change.verb == "REMOVE" and len(path) == 1:
            after.pop(path[0], None)
        elif change.verb == "SET" and len(path) == 1 and operand is not None:
            after[path[0]] = operand
        elif change.verb == "ADD" and operand is not None:
            after.setdefault(path[0], operand)
        else:
            more += sum(value_bytes(values[one]) for one in change.operand if one in values)
    return item_bytes(after) + more


# ------------------------------------------------------------------- queries


class _Narrowing(NamedTuple):
    """A condition on one key attribute."""

    attribute: str
    comparison: str
    operands: tuple[Typed, ...]

    def holds(self, value: Typed) -> bool:
        """Strings are compared by their bytes in UTF-8, which is the order of code points."""
        [(kind, have)] = value.items()
        wanted = [one.get(kind) for one in self.operands]
        if None in wanted:
            return False
        match self.comparison:
            case "=":
                return bool(have == wanted[0])
            case "<":
                return bool(have < wanted[0])
            case "<=":
                return bool(have <= wanted[0])
            case ">":
                return bool(have > wanted[0])
            case ">=":
                return bool(have >= wanted[0])
            case "BETWEEN":
                return bool(wanted[0] <= have <= wanted[1])
        return bool(have.startswith(wanted[0]))


def _narrowings(request: Mapping[str, Any]) -> Iterator[_Narrowing]:
    names, values = (
        request.get("ExpressionAttributeNames", {}),
        request.get("ExpressionAttributeValues", {}),
    )
    tokens = iter(_read(request["KeyConditionExpression"], is_update=False).tokens)
    for word in tokens:
        if word == "begins_with":
            _, name, _, low, _ = (next(tokens) for _ in range(5))
            yield _Narrowing(names.get(name, name), word, (values[low],))
        elif word.upper() != "AND" and word not in "()":
            comparison = next(tokens).upper()
            operands = [values[next(tokens)]]
            if comparison == "BETWEEN":
                next(tokens)  # AND
                operands.append(values[next(tokens)])
            yield _Narrowing(names.get(word, word), comparison, tuple(operands))


def _check_query(request: Mapping[str, Any]) -> None:
    """A page starts at a whole key, which the key conditions hold for; a range has an order, and
    no index of ours is read consistently (`QUERIES`)."""
    _check_expressions(request)
    index = request.get("IndexName")
    pk, sk = (f"{index}_pk", f"{index}_sk") if index else ("pk", "sk")
    if index and request.get("ConsistentRead"):
        raise Refused("Consistent reads are not supported on global secondary indexes", QUERIES)
    if request.get("Limit", 1) < 1:
        raise Refused("Limit must be at least 1", QUERIES)
    narrowings = list(_narrowings(request))
    if [one.comparison for one in narrowings if one.attribute == pk] != ["="]:
        raise Refused("Query condition missed key schema element", QUERIES)
    if any(one.attribute not in (pk, sk) for one in narrowings) or len(narrowings) > 2:
        raise Refused("Query key condition not supported", QUERIES)
    for one in narrowings:
        for operand in one.operands:
            _check_key_attribute(one.attribute, operand)
        if one.comparison == "BETWEEN" and not one.holds(one.operands[0]):
            raise Refused(
                "The BETWEEN operator requires upper bound to be greater than or equal to lower "
                "bound",
                QUERIES,
            )
    if start := request.get("ExclusiveStartKey"):
        if set(start) != {"pk", "sk", pk, sk}:
            raise Refused("The provided starting key is invalid", PAGES)
        for name, value in start.items():
            _check_key_attribute(name, value)
        if not all(one.holds(start[one.attribute]) for one in narrowings):
            raise Refused(
                "The provided starting key is outside query boundaries based on provided "
                "conditions",
                PAGES,
            )


# ------------------------------------------------- batches and transactions


def _check_read_batch(request: Mapping[str, Any]) -> None:
    """Up to 100 keys, each of them once (`READ_BATCHES`)."""
    keys = []
    for table, asked in request["RequestItems"].items():
        for key in asked["Keys"]:
            _check_key(key)
            keys.append((table, *_place(key)))
        _check_expressions(asked)
    if not 1 <= len(keys) <= MAX_KEYS_READ:
        raise Refused(f"Too many items requested for the BatchGetItem call: {len(keys)}", LIMITS)
    if len(set(keys)) != len(keys):
        raise Refused("Provided list of item keys contains duplicates", READ_BATCHES)


def _check_write_batch(request: Mapping[str, Any]) -> None:
    """Up to 25 writes of 16 MB, of different items (`WRITE_BATCHES`)."""
    places, size = [], 0
    for table, writes in request["RequestItems"].items():
        for write in writes:
            [(kind, what)] = write.items()
            if kind == "PutRequest":
                _check_item(what["Item"])
                size += item_bytes(what["Item"])
                places.append((table, *_place(what["Item"])))
            else:
                _check_key(what["Key"])
                places.append((table, *_place(what["Key"])))
    if not 1 <= len(places) <= MAX_WRITES:
        raise Refused(f"Too many items requested for a BatchWriteItem: {len(places)}", LIMITS)
    if len(set(places)) != len(places):
        raise Refused("Provided list of item keys contains duplicates", WRITE_BATCHES)
    if size > MAX_BATCH_BYTES:
        raise Refused("A batch has more than 16 MB", WRITE_BATCHES)


def _check_transaction(request: Mapping[str, Any], standing: Standing | None) -> None:
    """Up to 100 actions on different items, of 4 MB in all (`TRANSACTIONS`)."""
    actions = [next(iter(action.items())) for action in request["TransactItems"]]
    if not 1 <= len(actions) <= MAX_ACTIONS:
        raise Refused(f"A transaction has {len(actions)} actions", TRANSACTIONS)
    if len(request.get("ClientRequestToken", "x")) not in range(1, MAX_TOKEN + 1):
        raise Refused("clientRequestToken must have 1 to 36 characters", TRANSACTIONS)
    places = [(what["TableName"], *_place(what.get("Key") or what["Item"])) for _, what in actions]
    if len(set(places)) != len(places):
        raise Refused(
            "Transaction request cannot include multiple operations on one item", TRANSACTIONS
        )
    size = 0
    for place, (kind, what) in enumerate(actions):
        if kind == "Update":
            try:
                _check_update(what, standing)
            except Refused as refused:
                if "Item size" not in refused.message:
                    raise
                raise _canceled(len(actions), place, refused) from None
        elif kind == "Put":
            _check_item(what["Item"])
            _check_expressions(what)
            size += item_bytes(what["Item"])
        else:
            _check_key(what["Key"])
            _check_expressions(what)
        size += sum(map(value_bytes, what.get("ExpressionAttributeValues", {}).values()))
    if size > MAX_TRANSACTION_BYTES:
        raise Refused("The aggregate size of a transaction exceeds 4 MB", TRANSACTIONS)


def _canceled(actions: int, place: int, refused: Refused) -> Refused:
    """An item that becomes too large cancels its transaction (`TRANSACTIONS`)."""
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in range(actions)]
    reasons[place] = {"Code": "ValidationError", "Message": refused.message}
    return Refused(
        f"Transaction cancelled: {refused.message}",
        TRANSACTIONS,
        code="TransactionCanceledException",
        details={"CancellationReasons": reasons},
    )


def _check_read_transaction(request: Mapping[str, Any]) -> None:
    """Up to 100 items, each of them once (`READ_TRANSACTIONS`)."""
    asked = [action["Get"] for action in request["TransactItems"]]
    for one in asked:
        _check_key(one["Key"])
        _check_expressions(one)
    places = [(one["TableName"], *_place(one["Key"])) for one in asked]
    if not 1 <= len(places) <= MAX_ACTIONS or len(set(places)) != len(places):
        raise Refused("A transaction reads 1 to 100 different items", READ_TRANSACTIONS)


def _place(key: Typed) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]
