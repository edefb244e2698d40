"""The kind for programs: the HTTP service of ``weitiao serve`` in a container that the hub builds."""
