; On systems that do not say where a thread runs, the system alone decides.

define internal void @here() #0 {
  ret void
}

define internal void @keep_apart() #0 {
  ret void
}
