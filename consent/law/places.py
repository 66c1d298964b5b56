"""
The places that rules speak of: countries by ISO 3166-1 alpha-2, regions by ISO 3166-2 without its country.

Two places are none: `UNKNOWN` holds the rules for a call whose place nobody knows, `UNLISTED` those for a real
place that has no rule of its own here. `EU` is the parent of its 27 members: its rules hold in each of them
beside the member's own.
"""

import re
from functools import lru_cache
from typing import Final

from callprivacy.lib import phone

UNKNOWN: Final = "ZZ"
UNLISTED: Final = "XX"
EUROPEAN_UNION: Final = "EU"

_STATES: Final = {
    "AL": "Alabama",
    "AK": "Alaska",
    "AZ": "Arizona",
    "AR": "Arkansas",
    "CA": "California",
    "CO": "Colorado",
    "CT": "Connecticut",
    "DE": "Delaware",
    "DC": "the District of Columbia",
    "FL": "Florida",
    "GA": "Georgia (US)",
    "HI": "Hawaii",
    "ID": "Idaho",
    "IL": "Illinois",
    "IN": "Indiana",
    "IA": "Iowa",
    "KS": "Kansas",
    "KY": "Kentucky",
    "LA": "Louisiana",
    "ME": "Maine",
    "MD": "Maryland",
    "MA": "Massachusetts",
    "MI": "Michigan",
    "MN": "Minnesota",
    "MS": "Mississippi",
    "MO": "Missouri",
    "MT": "Montana",
    "NE": "Nebraska",
    "NV": "Nevada",
    "NH": "New Hampshire",
    "NJ": "New Jersey",
    "NM": "New Mexico",
    "NY": "New York",
    "NC": "North Carolina",
    "ND": "North Dakota",
    "OH": "Ohio",
    "OK": "Oklahoma",
    "OR": "Oregon",
    "PA": "Pennsylvania",
    "RI": "Rhode Island",
    "SC": "South Carolina",
    "SD": "South Dakota",
    "TN": "Tennessee",
    "TX": "Texas",
    "UT": "Utah",
    "VT": "Vermont",
    "VA": "Virginia",
    "WA": "Washington",
    "WV": "West Virginia",
    "WI": "Wisconsin",
    "WY": "Wyoming",
}
_TERRITORIES: Final = {
    "AS": "American Samoa",
    "GU": "Guam",
    "MP": "the Northern Mariana Islands",
    "PR": "Puerto Rico",
    "VI": "the US Virgin Islands",
}
_PROVINCES: Final = {
    "AB": "Alberta",
    "BC": "British Columbia",
    "MB": "Manitoba",
    "NB": "New Brunswick",
    "NL": "Newfoundland and Labrador",
    "NS": "Nova Scotia",
    "NT": "the Northwest Territories",
    "NU": "Nunavut",
    "ON": "Ontario",
    "PE": "Prince Edward Island",
    "QC": "Quebec",
    "SK": "Saskatchewan",
    "YT": "Yukon",
}
_AUSTRALIA: Final = {
    "ACT": "the Australian Capital Territory",
    "NSW": "New South Wales",
    "NT": "the Northern Territory",
    "QLD": "Queensland",
    "SA": "South Australia",
    "TAS": "Tasmania",
    "VIC": "Victoria",
    "WA": "Western Australia",
}
_MEMBERS: Final = {
    "AT": "Austria",
    "BE": "Belgium",
    "BG": "Bulgaria",
    "CY": "Cyprus",
    "CZ": "Czechia",
    "DE": "Germany",
    "DK": "Denmark",
    "EE": "Estonia",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GR": "Greece",
    "HR": "Croatia",
    "HU": "Hungary",
    "IE": "Ireland",
    "IT": "Italy",
    "LT": "Lithuania",
    "LU": "Luxembourg",
    "LV": "Latvia",
    "MT": "Malta",
    "NL": "the Netherlands",
    "PL": "Poland",
    "PT": "Portugal",
    "RO": "Romania",
    "SE": "Sweden",
    "SI": "Slovenia",
    "SK": "Slovakia",
}
MEMBERS: Final = frozenset(_MEMBERS)

REGIONS: Final[dict[str, dict[str, str]]] = {
    "US": _STATES | _TERRITORIES,
    "CA": _PROVINCES,
    "AU": _AUSTRALIA,
}
"""The regions of those countries whose regions have laws of their own."""

_COUNTRY_NAMES: Final = {
    "AU": "Australia",
    "CA": "Canada",
    "EU": "the European Union",
    "GB": "the United Kingdom",
    "US": "the United States",
    "BR": "Brazil",
    "CH": "Switzerland",
    "IN": "India",
    "IS": "Iceland",
    "JP": "Japan",
    "LI": "Liechtenstein",
    "MX": "Mexico",
    "NO": "Norway",
    "NZ": "New Zealand",
} | _MEMBERS

# ISO 3166-1 alpha-2, as assigned in 2026.
_ISO: Final = frozenset(
    re.findall(
        r"[A-Z]{2}",
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT "
        "BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH "
        "ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT "
        "HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS "
        "LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI "
        "NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG "
        "SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG "
        "UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW ",
    )
)
# What people write for a country's code. The territories of the United States have codes of their own as well.
_ALIASES: Final = {written: (code, "") for written, code in phone.COUNTRIES_WRITTEN.items()} | {
    code: ("US", code) for code in _TERRITORIES
}

LISTED: Final[tuple[tuple[str, str], ...]] = (
    ("US", ""),
    *(("US", region) for region in REGIONS["US"]),
    ("CA", ""),
    ("GB", ""),
    ("EU", ""),
    *((member, "") for member in _MEMBERS),
    ("AU", ""),
    *(("AU", region) for region in _AUSTRALIA),
    (UNKNOWN, ""),
    (UNLISTED, ""),
)
"""The places that must say, of each day, whether a call may be recorded there."""


def is_place(country: str, region: str) -> bool:
    if region:
        return region in REGIONS.get(country, {})
    return country in _ISO or country in {UNKNOWN, UNLISTED, EUROPEAN_UNION}


def normalise(country: str, region: str) -> tuple[str, tuple[str, ...]]:
    """
    A place as somebody wrote it, as the country's code and the regions that it may be.

    Capitals, blanks and a few common codes (UK, USA) do not matter; `US-CA` is read as a region of `US`. A
    region that the country does not have, and one of a country whose regions have no laws of their own, is no
    region. No country is `UNKNOWN`; a code that is no country's stays what it is and finds no rule.
    """
    code, implied = _ALIASES.get(country.strip().upper(), (country.strip().upper() or UNKNOWN, ""))
    known = REGIONS.get(code, {})
    parts = (part.strip().upper().removeprefix(f"{code}-") for part in (region or implied).split("|"))
    return code, tuple(sorted({part for part in parts if part in known}))


@lru_cache(maxsize=4096)
def plain(country: str, region: str) -> tuple[str, str]:
    """(country, region) in the one spelling of each, by which places are compared; no country where none is named."""
    code, regions = normalise(country, region)
    return ("", "") if code == UNKNOWN else (code, "|".join(regions))


def name(country: str, region: str = "") -> str:
    """What the place is called in a sentence; a code that has no name here stands for itself."""
    if region:
        return REGIONS.get(country, {}).get(region, f"{country}-{region}")
    return _COUNTRY_NAMES.get(country, country)
