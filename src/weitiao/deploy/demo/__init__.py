"""A model as a page in the browser: ``weitiao demo``. Everything on it follows from the task's fields and from what answers hold; nothing
here knows a task by name, and nothing on the page comes from another host.
"""
