"""What makes a release: wheels, images, the chart and lists of what is in them, signed."""
