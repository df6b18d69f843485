"""The signature of MariaDB's `client_ed25519`.

It is Ed25519 (RFC 8032), except that the password itself, of any length, takes the place of the
seed of 32 bytes. So libraries, which take seeds or keys, can't make it. The curve's arithmetic is
done here with Python's integers, in the same steps for every scalar: about 2 ms of CPU. For a
password of 32 bytes the signature is that of a library, which the tests compare.
"""

import hashlib
from functools import cache
from typing import Final

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_BASE_Y: Final = 4 * pow(5, -1, _P) % _P
_BASE_X: Final = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BITS: Final = 256

type _Point = tuple[int, int, int, int]
"""Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 §5.1.4)."""

_ZERO: Final[_Point] = (0, 1, 1, 0)


def sign(password: bytes, message: bytes) -> bytes:
    """64 bytes: RFC 8032 §5.1.6, with `password` in the place of the seed."""
    digest = hashlib.sha512(password).digest()
    scalar = _clamped(digest[:32])
    public = _encode(_multiply(scalar))
    nonce = _number(digest[32:] + message)
    commitment = _encode(_multiply(nonce))
    challenge = _number(commitment + public + message)
    answer = (nonce + challenge * scalar) % _ORDER
    return commitment + answer.to_bytes(32, "little")


def _clamped(data: bytes) -> int:
    number = int.from_bytes(data, "little")
    return (number & ~7 & (2**254 - 1)) | 2**254


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % _ORDER


def _multiply(scalar: int) -> _Point:
    """The scalar times the base point, with an addition for every bit, set or not."""
    result = _ZERO
    for bit, power in enumerate(_powers()):
        result = _add(result, power if scalar >> bit & 1 else _ZERO)
    return result


@cache
def _powers() -> tuple[_Point, ...]:
    """The base point times 1, 2, 4, 8, …"""
    point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
    powers = []
    for _ in range(_BITS):
        powers.append(point)
        point = _add(point, point)
    return tuple(powers)


def _add(left: _Point, right: _Point) -> _Point:
    """RFC 8032 §5.1.4; it holds for equal points and for zero, too."""
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a = (y1 - x1) * (y2 - x2) % _P
    b = (y1 + x1) * (y2 + x2) % _P
    c = 2 * t1 * t2 * _D % _P
    d = 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _encode(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")
