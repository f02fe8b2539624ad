"""What compiled programs run on: launcher, memory, threads, calls back into Python."""
