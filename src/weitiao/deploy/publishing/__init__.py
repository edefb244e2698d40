"""What is made here goes to a model hub: models, Spaces, and the workflow that publishes them by itself."""
