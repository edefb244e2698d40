"""Pretraining: tokens of a corpus on disk, blocks of them as training rows, and a training over these. The loop is everybody's."""
