"""``harmonic``: how operators see and steer a running product, over its bus."""
