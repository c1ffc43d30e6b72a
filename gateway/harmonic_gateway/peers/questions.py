"""What gateways ask one another about sessions: the words on the bus."""

#: Besides the methods of HTTP polling: a client sent what may not be read.
MISTAKE = "MISTAKE"
#: In an answer, after its status.
GZIPPED = "gzip"
