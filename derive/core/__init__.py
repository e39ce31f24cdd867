"""The lowest floor: one axis, one relation, integers and fractions only."""
