"""Deeds of requests, each with its event in the trail."""
