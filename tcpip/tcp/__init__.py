"""TCP without input or output (RFC 9293).

What a reader comes for first: `connection.TcpConnection`.  Segments in are
`arrives`, segments out are `send`; each keeps its state in the connection.
"""
