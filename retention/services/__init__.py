"""Deeds of retention: policies, runs, what a batch erases, and what vendors still have to delete."""
