"""
What a bucket fails with, and what that means in plain words.

Its programs take a while to load, so that this module is read only where a bucket is used and something failed.
"""

from typing import Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

ERRORS: Final[tuple[type[Exception], ...]] = (ClientError, BotoCoreError, Boto3Error, ResponseParserError)
_REFUSED: Final = frozenset({400, 401, 403})


def said(error: Exception) -> str:
    """What is to be done about an error of a bucket's."""
    if isinstance(error, ClientError):
        return _answered(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if isinstance(error, NoCredentialsError):
        return "No key opens it. The operator sets one; see docs/connections.md."
    if isinstance(error, (HTTPClientError, Boto3Error)):
        return "It did not answer, or broke off. It is tried again within a minute."
    return "It answered with something that is no folder. Look at its address."


def _answered(status: int) -> str:
    if status in _REFUSED:
        return f"It refused us (answer {status}). Its key has to be one that may list, read and delete there."
    if status == 404:
        return "It is not there. Look whether it is still named so."
    return f"It answered with a fault ({status}). It is tried again within a minute."
