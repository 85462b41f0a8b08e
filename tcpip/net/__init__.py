"""Below the sockets: interfaces, neighbours, routes, fragments, ICMP and ports."""
