"""CUDA schedules: how a function is cut into blocks and threads, as data that templates print."""
