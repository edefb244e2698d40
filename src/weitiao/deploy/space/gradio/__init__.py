"""The kind with a process behind it: the page of ``weitiao demo`` in a hub's container."""
