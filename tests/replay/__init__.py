"""Replay: whether another revision of the product computes the same weights, logits and rows, bit for bit.

The recorder drives the public command line of a tree of product code and reads the files that it leaves; it imports
nothing of the product, so it can record a tree whose insides are laid out in another way.
"""
