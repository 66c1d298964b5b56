"""How figures leave and come in as files: papers for people and for spreadsheets, and lists of costs."""
