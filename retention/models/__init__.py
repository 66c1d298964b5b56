"""Rows of retention: policies, holds, runs, and what is watched."""

from retention.models.ending import Offboarding
from retention.models.holds import Hold, HoldCall, HoldCaller, HoldPerson
from retention.models.policies import Policy, PolicyChange
from retention.models.runs import Certificate, Errand, GoLive, HouseCertificate, HousePart, Run, RunPart
from retention.models.watch import (
    Alert,
    AlertEndpoint,
    Backup,
    Drill,
    Leftover,
    News,
    Rotation,
    SecretLimit,
    VendorCheck,
)
