"""Decided from its arguments alone: no clock, no network, no table, no environment. Imports nothing of ours."""
