"""
The anonymiser: rows of a table made so that nobody stands out in them, and what that costs. Pure.

What it promises: every released row lies in a class that meets each demand that was made, or is suppressed; every
released value is the value itself or something wider that holds it. That the identifying columns are left out makes
no table anonymous; what is measured here is what remains.
"""
