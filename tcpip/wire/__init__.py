"""Formats only: each module parses and builds one header, and knows no state."""
