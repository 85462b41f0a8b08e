"""How a driver reaches its device (virtio 1.2 §4)."""
