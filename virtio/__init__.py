"""A virtio-net driver (virtio 1.2) and, in `virtio.device`, the other side of the ring in software."""
