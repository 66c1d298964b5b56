"""
Words that say that a call is about somebody's health, in English and Spanish.

A list finds what it holds: it misses what is said otherwise, and finds "cancer" where a zodiac sign is meant.
"""

import re
import unicodedata
from typing import Final

# Beginnings of words, without accents; what ends with $ is a whole word.
_BEGINNINGS: Final = """
abortion aborto addict adiccion alergia allerg alzheimer anemia antibiotic antidepress anxiety ansiedad arthritis
artritis asma$ asthma autis biops bipolar cancer chemo$ chemotherap cirugia colonoscop covid dementia demencia depress
depresion diabet diagnos dialysis dialisis embaraz epilep fertility fertilidad fibromyalg hepatit herpes hiv$ hypertens
hipertens implant infarto infecc infection infertil insulin insomni leukemia leucemia lupus medication medicacion
medicament medicine medicina menopaus methadone metadona migraine migrana miscarriage overdose sobredosis parkinson
pneumonia neumonia pregnan prescri psychiatr psiquiatr psycholog psicolog quimioterapia radiation radioterapia
schizophren esquizofren seizure sida$ sintoma stroke$ suicid surgery surgical surgeon cirujan symptom therapist
terapeuta therapy terapia trauma tratamiento tumor vih$ vacuna vaccin
"""
_WORDS: Final = re.compile(
    r"\b(?:"
    + "|".join(word[:-1] + r"\b" if word.endswith("$") else word for word in _BEGINNINGS.split())
    + ")"
)


def speaks_of_health(text: str) -> bool:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORDS.search("".join(sign for sign in plain if not unicodedata.combining(sign))) is not None
