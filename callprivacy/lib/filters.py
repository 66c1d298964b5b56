"""Filters of lists with the project's own fields, for django-filter."""

from django_filters import CharFilter, DateFilter

from callprivacy.lib.forms import DayField, LineField


class DayFilter(DateFilter):
    """A day, by the browser's own picker."""

    field_class = DayField


class LineFilter(CharFilter):
    field_class = LineField
