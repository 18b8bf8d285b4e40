"""What happens, in order: checks, then signing, then one conditional write.

Owns the clock and the side effects; knows neither HTTP nor how anything is stored.
"""
