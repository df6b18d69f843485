"""What a failure is to the person or the script at the other end: a message, and an exit code."""

from __future__ import annotations

import json
import sys
from typing import Any

from patchbay_cli.exits import Exit
from patchbay_cli.output import Output, shown
from patchbay_cli.profiles import ProfileProblem
from patchbay_cli.run import CommandFailed
from patchbay_sdk.errors import (
    ApiError,
    ConnectionFailed,
    InvalidArgument,
    PatchbayError,
    RateLimited,
    ServerError,
    UnexpectedAnswer,
)

REPORTED = (PatchbayError, ProfileProblem, CommandFailed, OSError, UnicodeDecodeError)
"""These are not mistakes of this program."""


def report(error: Exception, output: Output) -> Exit:
    """Print an error to standard error, and say with what to end."""
    output.end_progress()
    if output.as_json:
        print(json.dumps({"error": described(error)}), file=sys.stderr)
    else:
        label = output.styled("patchbay:", "red", "bold", stream=sys.stderr)
        first, *more = _lines(error)
        print("\n".join([f"{label} {first}", *more]), file=sys.stderr)
    return exit_of(error)


def exit_of(error: Exception) -> Exit:
    if isinstance(error, InvalidArgument):
        return Exit.USAGE
    ours = (ConnectionFailed, RateLimited, ServerError, UnexpectedAnswer)
    is_ours = isinstance(error, ours) or _is_of_another(error)
    return Exit.PLATFORM if is_ours else Exit.FAILED


def _is_of_another(error: Exception) -> bool:
    """Whether a gateway, a proxy, or another program answered in place of the deployment."""
    return isinstance(error, ApiError) and error.code is None


def described(error: Exception) -> dict[str, Any]:
    """An error as JSON: that of the API, or its code null and a message."""
    if isinstance(error, ApiError):
        return {
            "code": error.code,
            "message": _sentence(error) if _is_of_another(error) else error.message,
            "status": error.status,
            "details": error.details,
            "trace_id": error.trace_id,
        }
    if isinstance(error, UnexpectedAnswer):
        return {
            "code": None,
            "message": error.message,
            "pointer": error.pointer,
            "trace_id": error.trace_id,
        }
    return {"code": None, "message": _sentence(error)}


def _lines(error: Exception) -> list[str]:
    if isinstance(error, UnexpectedAnswer):
        return [shown(error.message), *_trace(error)]
    if not isinstance(error, ApiError) or _is_of_another(error):
        return [shown(_sentence(error))]
    lines = [shown(f"{error.message} ({error.code})")]
    lines += [f"  {shown(problem.pointer)} {shown(problem.message)}" for problem in error.errors]
    return [*lines, *_trace(error)]


def _trace(error: ApiError | UnexpectedAnswer) -> list[str]:
    return [f"  trace {shown(error.trace_id)}"] if error.trace_id else []


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, UnicodeDecodeError):
        return "the file is not UTF-8"
    if isinstance(error, ApiError):
        return (
            f"the answer has the status {error.status}, and is not of Patchbay: is the address "
            "right?"
        )
    if isinstance(error, ConnectionFailed):
        return f"the deployment gave {error}"
    return str(error)
