"""HTTP fetches over a network of our own."""
