from governance.models.breaches import Breach, BreachNote, BreachNotice
from governance.models.premises import Badge, DoorHours, Entry, KioskLink, Site, SiteKey
from governance.models.training import (
    Assignment,
    Attempt,
    Completion,
    CoursePicture,
    CourseVersion,
    OwnCourse,
    TrainingDay,
    TrainingRule,
)
from governance.models.vendors import SubProcessor, Vendor, VendorCertificate, VendorIncident, VendorReview

__all__ = [
    "Assignment",
    "Attempt",
    "Badge",
    "Breach",
    "BreachNote",
    "BreachNotice",
    "Completion",
    "CoursePicture",
    "CourseVersion",
    "DoorHours",
    "Entry",
    "KioskLink",
    "OwnCourse",
    "Site",
    "SiteKey",
    "SubProcessor",
    "TrainingDay",
    "TrainingRule",
    "Vendor",
    "VendorCertificate",
    "VendorIncident",
    "VendorReview",
]
