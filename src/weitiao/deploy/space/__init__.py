"""A finished run as a Space: a page of its own on a hub."""
