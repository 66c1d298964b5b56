"""
Logs in which nobody and no link can be read, because only what is listed here is written.

Of our own events these are the fields in `FIELDS`. Of a library's line it is the text as it stands in the library's
code, its figures, and the class, the place and the code of an error. What was put into the text is left out: arguments,
reprs and the messages of errors hold addresses, names and links that open accounts. What is listed then passes a mask:
what looks like a number is replaced by its last two digits, the secret in an address and every query are left out.
Dates, UUIDs and long ids stay readable.
"""

import ast
import contextlib
import functools
import ipaddress
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from uuid import UUID

import structlog
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from structlog.typing import EventDict, Processor, WrappedLogger

FIELDS: Final = frozenset({
    # of the request or the job
    "agency_id", "code", "milliseconds", "network", "person", "request", "request_id", "task", "task_id",
    # of the event
    "active", "agency", "approval", "attempts", "category", "change", "checks", "client", "connection", "count",
    "detail", "error", "esp", "failures", "fields", "final", "folder", "folders", "invitation", "jobs", "key", "kind",
    "known", "letter", "lineage", "menu", "news", "outcome", "over", "page", "press", "provider", "recording",
    "register", "release", "reply", "report_id", "rotation", "row", "step", "submission", "subscription", "user_id",
    "what", "why",
})  # fmt: skip
"""What an event of ours may say: ids, counts, kinds and words of our code; no text that came from outside."""
_WRITTEN: Final = FIELDS | {"event", "level", "logger", "exception", "place", "status_code"}
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_LIBRARIES: Final = ("status_code",)
"""What of a library's `extra` is written, where it is a figure."""
_SAYING: Final = (ImproperlyConfigured,)
"""Errors whose message is written: they name a setting and what to do."""
_CODES: Final = ("sqlstate", "errno", "smtp_code")
"""What an error says of itself in a figure, or in the five characters of SQL."""
_OF_A_TASK: Final = frozenset({"name", "id", "runtime", "description"})
_OF_THE_MACHINE: Final = frozenset({
    "Starting gunicorn %s", "Listening at: %s (%s)", "Using worker: %s", "Booting worker with pid: %s",
    "Worker exiting (pid: %s)", "Worker (pid:%s) was sent %s!",
    "Worker (pid:%s) was sent %s! Perhaps out of memory?", "Worker (pid:%s) exited with code %s.",
    "Handling signal: %s", "Shutting down: %s", "Connection in use: %s", "%s ready.",
    "Scheduler: Sending due task %s (%s)",
})  # fmt: skip
"""Lines of servers whose arguments tell of this machine and of jobs' names alone."""
_PASSED_ON: Final = frozenset({
    "Error handling request %s", "Error handling request %s %s", "Exception in worker process",
    "WORKER TIMEOUT (pid:%s)", "Error handling request", "Socket error processing request.",
    "Autorestarting worker after current request.", "Task %(name)s[%(id)s] received",
})  # fmt: skip
"""Texts that stand in another file of the library than the one that writes the line."""
_FRAMES: Final = 40

_LONGEST = 15  # digits of an E.164 number
_LIKE_A_NUMBER = re.compile(
    r"(?P<date>(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d"
    r"(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,6})?)?)?(?!\d))"
    r"|(?P<uuid>(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z]))"
    r"|(?P<number>(?:\+|(?<!\d))\(?\d(?:[\s()._\-/\u2010-\u2015\u00a0]{0,3}\d){6,}(?!\d))"
)
# Addresses that open something for whoever has them: a person's choices or request, a receipt, an invitation, our
# question, a client's word, a binder, what is handed over, another password.
_SECRET_PART = re.compile(
    r"(?P<door>/(?:b|k|p|q|receipt|invitation|approve|handover|password/reset/key|confirm-email|c/[^/\s?\"']{1,80}/ask))"
    r"/[^/\s?\"']{16,}"
)

# What stands behind the question mark of an address: trackers write names and mail addresses there.
_QUERY = re.compile(r"(?<![^\s?\"'<>])(?P<path>[^\s?\"'<>/]*/[^\s?\"'<>]*)\?[^\s\"'<>]+")


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def mask_text(value: str) -> str:
    """
    Replace what looks like a phone number (7 to 15 digits, however they are grouped), secrets in addresses, and what
    stands behind an address's question mark.
    """

    def replacement(match: re.Match[str]) -> str:
        found = match.group()
        digits = re.sub(r"\D", "", found)
        one_long_id = found.isdigit() and len(digits) > _LONGEST
        if match.lastgroup in {"date", "uuid"} or one_long_id:
            return found
        return f"[number ..{digits[-2:]}]"

    plain = _QUERY.sub(r"\g<path>?[query]", _SECRET_PART.sub(r"\g<door>/[secret]", value))
    return _LIKE_A_NUMBER.sub(replacement, plain)


def _masked(value: Any) -> Any:  # noqa: PLR0911 one line for each shape
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):  # no id is one, so that seven digits are enough
        return mask_text(f"{value:.0f}") if 10**6 <= abs(value) < 10**_LONGEST else value
    if isinstance(value, int):
        return mask_text(str(value)) if 10**9 <= abs(value) < 10**_LONGEST else value
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, bytes):
        return mask_text(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {mask_text(str(key)): _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in value]
    return mask_text(str(value)) if isinstance(value, UUID) else f"[{type(value).__name__}]"


def network_of(address: str | None) -> str | None:
    """The network of an address: enough to see where a flood comes from, too little to say who it was."""
    if address is None:
        return None
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(ipaddress.ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False))


def _is_plain(key: str, value: Any) -> bool:
    if key == "network" and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return bool(ipaddress.ip_network(value))
    return False


def mask_numbers(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: every value of the event, however deep, without numbers; `network` is one."""
    return {key: value if _is_plain(key, value) else _masked(value) for key, value in event.items()}


@functools.cache
def _texts(path: str) -> frozenset[str]:
    """The texts that stand in a file of code."""
    try:
        nodes = ast.walk(ast.parse(Path(path).read_bytes()))
        return frozenset(
            node.value.strip()
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
    except (OSError, SyntaxError, ValueError):
        return frozenset()


def _without_arguments(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of a library's line: its text as it stands in the code, with figures; what was put in is left out."""
    record, text = event["_record"], event["event"]
    arguments = event.pop("positional_args", ())
    figures = {name: getattr(record, name, None) for name in _LIBRARIES}
    event.update({name: value for name, value in figures.items() if isinstance(value, int)})
    if isinstance(event.get("exc_info", (None, None))[1], PermissionDenied):
        del event["exc_info"]  # a refusal is no fault
    if text not in _OF_THE_MACHINE | _PASSED_ON and text.strip() not in _texts(record.pathname):
        event["event"] = "[text]"
        event.setdefault("place", f"{record.module}:{record.lineno}")
        return event
    is_shown = text in _OF_THE_MACHINE
    shown: object = (
        {key: _argument(value, is_shown=key in _OF_A_TASK) for key, value in arguments.items()}
        if isinstance(arguments, Mapping)
        else tuple(_argument(value, is_shown=is_shown) for value in arguments)
    )
    if arguments:
        with contextlib.suppress(TypeError, ValueError, KeyError):  # one that no text can be made of
            event["event"] = text % shown
    return event


def _argument(value: object, *, is_shown: bool) -> object:
    if isinstance(value, float):
        return round(value, 3)  # in a text more digits look like a number
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, BaseException):
        return f"[{type(value).__name__}]"
    return str(value) if is_shown else "[...]"


def _only_listed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if event["_from_structlog"] and not _EVENT.fullmatch(str(event["event"])):
        event["event"] = "[text]"
    return {key: value for key, value in event.items() if key in _WRITTEN}


def _on_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What JSON does with every value: a break, or a code that a terminal obeys, forges no line."""
    event["event"] = _CONTROL.sub(lambda found: ascii(found.group())[1:-1], str(event["event"]))
    return event


def _outline(error: BaseException | None) -> Iterator[str]:
    """Each error of a chain, the cause last: its class, its code and where it was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        said = [f"{name} {value}" for name in _CODES if _is_a_code(value := getattr(error, name, None))]
        if isinstance(error, _SAYING):
            said.append(str(error))
        yield ": ".join([type(error).__name__, *said])
        yield from _places(error.__traceback__)
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _outline(inner)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_a_code(value: object) -> bool:
    return isinstance(value, int) or (
        isinstance(value, str) and re.fullmatch(r"[0-9A-Z]{5}", value) is not None
    )


def _places(trace: TracebackType | None) -> Iterator[str]:
    for frame, line in list(traceback.walk_tb(trace))[-_FRAMES:]:
        yield f"  {frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"


def _exception(exc_info: Any) -> str:
    return "\n".join(_outline(exc_info[1]))


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
]
# After the mask: what is added here is ours and holds no number.
_LAST: list[Processor] = [
    structlog.processors.ExceptionRenderer(_exception),
    _only_listed,
    mask_numbers,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure() -> None:
    """Send structlog's events, and what ends a process, through the handlers that `settings()` describes."""
    logging.raiseExceptions = False  # a line that cannot be written is printed with its arguments otherwise
    sys.excepthook = _end
    # A program that watches these itself, as the suite does, goes on doing so.
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _end_of_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _end_of_thread
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write what ends a process; at a terminal its person reads all of it, and nothing is kept."""
    if sys.stderr.isatty() or issubclass(kind, KeyboardInterrupt) or not logging.getLogger().handlers:
        sys.__excepthook__(kind, error, trace)
    else:
        logger(__name__).critical("process.failed", exc_info=(kind, error, trace))


def _end_of_thread(failed: Any) -> None:
    _end(failed.exc_type, failed.exc_value, failed.exc_traceback)


def settings(*, level: str, as_json: bool) -> dict[str, Any]:
    """Return Django's LOGGING: one handler on standard error, one formatter that writes what is listed."""
    renderers: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if as_json
        else [
            _on_one_line,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "listed": {
                "()": structlog.stdlib.ProcessorFormatter,
                # An argument that does not fit its text is no error here, which would be printed with it.
                "use_get_message": False,
                "pass_foreign_args": True,
                "foreign_pre_chain": [*_SHARED, _without_arguments],
                "processors": [*_LAST, *renderers],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "listed"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # It gives its loggers a handler of their own, which writes all there is.
            "gunicorn.error": {"handlers": [], "level": level, "propagate": True},
            "gunicorn.access": {"handlers": [], "level": level, "propagate": True},
            # Of each font of a PDF it tells every glyph, in dozens of lines.
            "fontTools": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }


def logger(name: str) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def level_named(raw: str) -> str | None:
    return raw.upper() if raw.upper() in logging.getLevelNamesMapping() else None
