"""Certificates and reports of all vendors."""

from django.db.models import QuerySet
from django.urls import reverse
from django_filters import FilterSet, ModelChoiceFilter

from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.tables import Column, Empty, Table, list_page
from callprivacy.lib.filters import DayFilter
from governance.models import Vendor, VendorCertificate


class CertificateFilter(FilterSet):
    vendor = ModelChoiceFilter(
        label="Vendor", queryset=lambda _: Vendor.objects.current().order_by("name"), empty_label="All"
    )
    valid_until = DayFilter(label="Expires by", lookup_expr="lte")


CERTIFICATES = Table(
    label="Vendor certificates",
    columns=(
        Column("Certificate", "name", sort="name"),
        Column("Vendor", "vendor.name", link=lambda row: reverse("governance:vendor", args=[row.vendor_id])),
        Column("Valid until", "valid_until", sort="valid_until"),
        Column("Source", "source"),
    ),
    filters=CertificateFilter,
    empty=Empty("No certificates yet", "Add certificates and reports on the vendor's page."),
    file="vendor-certificates",
)


@list_page(
    CERTIFICATES, right=AgencyRight.MANAGE_CLIENTS, lede="Valid certificates, the first to expire on top."
)
def list_certificates(request: StaffRequest) -> QuerySet[VendorCertificate]:
    return VendorCertificate.objects.counting().select_related("vendor").order_by("valid_until", "name")
