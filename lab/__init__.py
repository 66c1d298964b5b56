"""Trials and benchmarks of the product: outside the image and the wheel."""
