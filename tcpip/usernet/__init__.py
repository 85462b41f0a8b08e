"""The user-mode network: frames on one side, the host's sockets on the other."""
