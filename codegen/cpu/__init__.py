"""CPU schedules: how C computes a function, as data that templates print."""
