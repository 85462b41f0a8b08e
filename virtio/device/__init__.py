"""The device's side of the ring, read from the specification a second time."""
