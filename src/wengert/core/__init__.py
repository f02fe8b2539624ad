"""What a program is: types, primitives, tracers, levels and graphs.  This room knows no mathematics."""
