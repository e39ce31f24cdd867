"""What can be said of operators: equal or not, checkerboards, weights to begin with."""
