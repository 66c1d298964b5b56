"""Deeds on agencies, clients, people and grants; each records itself in the trail."""
