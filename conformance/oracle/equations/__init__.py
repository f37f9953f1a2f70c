"""The documented equations, evaluated on numbers that know their error; one file a family."""
