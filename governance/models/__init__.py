from governance.models.breaches import Breach, BreachNote, BreachNotice
from governance.models.premises import Badge, Entry, Site
from governance.models.training import Assignment, Attempt, Completion, TrainingRule
from governance.models.vendors import SubProcessor, Vendor, VendorCertificate, VendorIncident, VendorReview

__all__ = [
    "Assignment",
    "Attempt",
    "Badge",
    "Breach",
    "BreachNote",
    "BreachNotice",
    "Completion",
    "Entry",
    "Site",
    "SubProcessor",
    "TrainingRule",
    "Vendor",
    "VendorCertificate",
    "VendorIncident",
    "VendorReview",
]
