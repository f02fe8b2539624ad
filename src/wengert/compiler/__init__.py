"""From a graph to one native function: see `wengert.compiler.pipeline` for the table of contents."""
