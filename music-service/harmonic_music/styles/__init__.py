"""The characters of pieces, as data: figures, basses, grooves, and the styles made of them.

Nothing here knows how a piece is composed.
"""
