"""The files of data sets: images, captions, embeddings, shards of latents; and a cache.

Public: the modules.
"""
