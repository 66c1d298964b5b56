"""Deeds on calls: taking them in, showing a number, writing them out, and erasing them."""
