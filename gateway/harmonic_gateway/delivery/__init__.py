"""From stored records and live signals to encoded frames, in order and without gaps."""
