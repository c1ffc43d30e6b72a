"""The characters of pieces, as data: figures, basses, grooves, and the styles made of them.

Nothing here depends on how a piece is composed.
"""
