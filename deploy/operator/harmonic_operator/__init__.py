"""``harmonic``: operators inspect and control a running product, over its bus."""
