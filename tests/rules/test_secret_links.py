"""Whoever reads the database opens nothing: which addresses hold a secret, how it is kept, and what ends it."""

import ast
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from tests.rules.source import ROOT

ONCE: Final[dict[str, tuple[str, str, str]]] = {
    "invitation": (
        "accounts/test_invitations.py::test_only_the_digest_of_a_token_is_kept",
        "accounts/test_invitations.py::test_a_used_link_says_so",
        "accounts/test_invitations.py::test_a_newer_link_ends_the_one_before",
    ),
    # Signed over the person's password and sign-ins, and kept nowhere; an operator's link is one of these.
    "account_reset_password_from_key": (
        "accounts/test_operator.py::test_a_new_operator_chooses_a_password_by_a_link_that_works_once",
        "accounts/test_sign_in.py::test_a_forgotten_password_is_reset_by_a_mail_that_works_once",
        "accounts/test_sign_in.py::test_a_newer_link_for_a_password_ends_the_one_before",
    ),
    "approve": (
        "rights/test_answering.py::test_a_mail_that_goes_again_has_another_link_and_no_link_is_kept",
        "rights/test_answering.py::test_the_client_answers_once_by_a_link_without_an_account_or_a_number",
        "rights/test_answering.py::test_a_mail_that_goes_again_has_another_link_and_no_link_is_kept",
    ),
    "handover": (
        "retention/test_offboarding.py::test_only_the_digest_of_a_link_is_kept",
        "retention/test_offboarding.py::test_without_their_word_no_number_is_in_the_file_and_the_link_opens_once",
        "retention/test_offboarding.py::test_without_their_word_no_number_is_in_the_file_and_the_link_opens_once",
    ),
    # The page of a request, which is signed and kept nowhere, opens while the request is there; the package's secret
    # stands in a button on it.
    "request": (
        "rights/test_packages.py::test_a_newer_link_ends_the_one_before_and_only_its_digest_is_kept",
        "rights/test_packages.py::test_a_link_works_once_for_the_proven_and_every_download_is_written_down",
        "rights/test_packages.py::test_a_newer_link_ends_the_one_before_and_only_its_digest_is_kept",
    ),
}
"""Addresses whose secret works once -> the tests that it is kept as a digest, used up, and ended by a newer one."""
STANDING: Final = {
    "binder_door": "opens one binder as often as wanted, until the day that an officer sets; only its digest is kept",
    "door": "a tablet at a door opens it until its end; only its digest is kept",
    "door_visit": "as door",
    "door_come": "as door",
    "door_leave": "as door",
    "preferences": "a person's choices, or the confirmation of an address, until its end; sealed, and kept nowhere; all"
    " of a client's end at once, and a confirmation's with a newer address",
    "public_receipt": "what a form wrote, signed, for 30 days, and kept nowhere",
    "ask": "takes back as long as the consent stands, for a withdrawal is no harder than a consent; only its digest is"
    " kept",
}
"""Addresses with a secret that may be opened again -> until when, and how it is kept."""
PARTS: Final = frozenset({"token", "link", "secret", "receipt", "kiosk", "uidb36"})
"""What a secret is called in an address; a `key` names whose page it is and opens nothing by itself."""


def _patterns(patterns: Iterable[Any]) -> Iterator[URLPattern]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _patterns(one.url_patterns)
        else:
            yield one


def _with_a_secret() -> set[str]:
    return {
        str(one.name)
        for one in _patterns(get_resolver().url_patterns)
        if PARTS & set(one.pattern.regex.groupindex)
    }


def test_every_address_with_a_secret_says_what_ends_it() -> None:
    assert _with_a_secret() == ONCE.keys() | STANDING.keys()


@pytest.mark.parametrize("name", ONCE)
def test_each_secret_that_works_once_has_its_three_tests(name: str) -> None:
    for test in ONCE[name]:
        file, _, function = test.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test
