"""``weitiao export RUN --to docker``: a folder from which a container image of the HTTP service is built anywhere.

folder          the folder as a whole: the run in it, what it needs, what it says
pinned          which packages an installed weitiao needs, and their versions here
wheel           weitiao itself as a wheel, since the folder knows no repository
files/          Dockerfile, compose file and .dockerignore, with gaps to be filled
"""
