"""CUDA kernels beside cuDNN: ``make bench-cuda``, on a machine with a GPU."""
