"""
Logs in which no phone number and no personal link can be read.

Every line, ours and every library's, passes one mask before it is written: what looks like a number is
replaced by its last two digits; the secret in the address of a personal page and every query are left out. Dates, UUIDs
and long ids stay readable.
"""

import contextlib
import ipaddress
import logging
import re
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_LONGEST = 15  # digits of an E.164 number
_LIKE_A_NUMBER = re.compile(
    r"(?P<date>(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d"
    r"(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,6})?)?)?(?!\d))"
    r"|(?P<uuid>(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z]))"
    r"|(?P<number>(?:\+|(?<!\d))\(?\d(?:[\s().\-/\u2010-\u2015\u00a0]{0,3}\d){6,}(?!\d))"
)
# Addresses that open something for whoever has them: a person's choices or request, a receipt, an invitation, our
# question, a client's word, a binder, what is handed over, another password.
_SECRET_PART = re.compile(
    r"(?P<door>/(?:b|k|p|q|receipt|invitation|approve|handover|password/reset/key|confirm-email|c/[^/\s?\"']{1,80}/ask))"
    r"/[^/\s?\"']{16,}"
)

# What stands behind the question mark of an address: trackers write names and mail addresses there.
_QUERY = re.compile(r"(?P<path>/[^\s?\"'<>]*)\?[^\s\"'<>]+")


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
    return mask_text(repr(value))


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
    return key in {"_record", "_from_structlog"}


def mask_numbers(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: every value of the event, however deep, without numbers; `network` is one."""
    return {key: value if _is_plain(key, value) else _masked(value) for key, value in event.items()}


def round_floats(record: logging.LogRecord) -> bool:
    """A filter that passes all: a fraction is written with three digits, for in a message more look like a number."""
    if isinstance(record.args, Mapping):
        if any(isinstance(value, float) for value in record.args.values()):
            record.args = {key: _rounded(value) for key, value in record.args.items()}
    elif record.args:
        record.args = tuple(_rounded(value) for value in record.args)
    return True


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.StackInfoRenderer(),
]
# After the mask: what is added here is ours and holds no number.
_LAST: list[Processor] = [
    structlog.processors.format_exc_info,
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    mask_numbers,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure() -> None:
    """Send structlog's events through the standard library's handlers, which `settings()` describes."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def settings(*, level: str, as_json: bool) -> dict[str, Any]:
    """Return Django's LOGGING: one handler on standard error, one formatter that masks."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "masked": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_SHARED, structlog.stdlib.ExtraAdder()],
                "processors": [*_LAST, renderer],
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "masked", "filters": [round_floats]}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # Of each font of a PDF it tells every glyph, in dozens of lines.
            "fontTools": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def level_named(raw: str) -> str | None:
    """Return the level that a word names, or None."""
    return raw.upper() if raw.upper() in logging.getLevelNamesMapping() else None
