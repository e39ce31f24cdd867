"""CUDA: the text of the .cu file, its kernels and its host functions."""
