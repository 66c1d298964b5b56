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
