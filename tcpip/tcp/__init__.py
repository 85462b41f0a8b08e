"""TCP (RFC 9293): states, the arrival of segments, sending, time-outs and congestion."""
