"""Finished runs behind HTTP: one process speaks HTTP and decides what is answered next, worker processes hold the models.

    served     what is served             reading    JSON, strictly
    schemas    Fields as JSON schemas     gate       what a request passes before it is read
    service    what the pages share
    batcher    what is answered next      app        the pages
    pool       worker processes           openai     the pages that OpenAI's clients know
    worker     one of them                running    from a socket to the last answer
    answering  records to answers         figures    counts and times for Prometheus

The process that speaks HTTP imports no torch and computes nothing, so that it answers in milliseconds whatever the models do. It knows
tasks by their fields, and a model as a function that a worker calls to load it.
"""
