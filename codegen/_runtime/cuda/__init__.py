"""CUDA at run time: what a text holds, how it is compiled, kept and launched.

Nothing here needs a GPU, a driver or cuda-core before a kernel is called.
"""
