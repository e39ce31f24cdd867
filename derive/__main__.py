"""Command line: ``python -m derive conv2d --kernel-size 3 --input-size 4 4``."""

from .command_line import main

if __name__ == "__main__":
    main(prog_name="python -m derive")
