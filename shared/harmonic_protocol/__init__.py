"""The contract that all services and clients of Harmonic Universe speak.

Pure: it imports pydantic and nothing else, opens nothing, and reads no clock.
"""
