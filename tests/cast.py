"""The fixed cast: Acme with alice, bob and carol, and Globex, where mallory is a stranger to all of them."""

import copy
from dataclasses import dataclass

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.models import Agency, Client
from tests import ground, make


@dataclass(frozen=True)
class Cast:
    """Who there is. Alice is granted both clients of Acme, bob the dentist only, carol none."""

    acme: Agency
    dentist: Client
    plumber: Client
    alice: Membership
    bob: Membership
    carol: Membership
    globex: Agency
    florist: Client
    mallory: Membership


def assemble() -> Cast:
    """Make the cast; where the databases in use have it from the start, a copy that is the test's own."""
    if ground.standing.cast is not None:
        found: Cast = copy.deepcopy(ground.standing.cast)
        return found
    acme, globex = make.agency("Acme"), make.agency("Globex")
    alice = make.person(acme, "alice", Role.OFFICER)
    bob = make.person(acme, "bob", Role.REVIEWER)
    carol = make.person(acme, "carol", Role.ADMIN)
    mallory = make.person(globex, "mallory", Role.OFFICER)
    dentist = make.client(acme, "Dentist", places=[("US", "CA")])
    plumber = make.client(acme, "Plumber", places=[("US", "NY")])
    florist = make.client(globex, "Florist", places=[("US", "TX")])
    make.grant(bob, dentist)
    return Cast(acme, dentist, plumber, alice, bob, carol, globex, florist, mallory)
