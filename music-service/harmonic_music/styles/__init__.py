"""The characters of pieces, as data: figures, basses, grooves, and the styles that bring them
together. Nothing here knows how a piece is composed.
"""
