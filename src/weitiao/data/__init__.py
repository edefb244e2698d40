"""A user's file becomes clean records. Nothing here imports torch or knows a concrete task."""
