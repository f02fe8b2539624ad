; A worker that runs on the processor of the caller takes turns with it, and a region takes twice as long as on one thread.  The system puts
; a thread that it wakes beside the one that woke it, and may leave it there for milliseconds: so workers go elsewhere themselves.

@caller.processor = internal global i32 -1, align 128

declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)
declare i32 @getpid()

; The caller is here.
define internal void @here() #0 {
  %processor = call i32 @sched_getcpu()
  store atomic i32 %processor, ptr @caller.processor monotonic, align 4
  ret void
}

; A worker that is where the caller is may run on any processor of the process but this one from now on, if there is another.
define internal void @keep_apart() #1 {
entry:
  %allowed = alloca [128 x i8], align 16
  %mine = call i32 @sched_getcpu()
  %callers = load atomic i32, ptr @caller.processor monotonic, align 4
  %together = icmp eq i32 %mine, %callers
  %is.known = icmp ult i32 %mine, 1024
  %in.the.way = and i1 %together, %is.known
  br i1 %in.the.way, label %ask, label %done
ask:
  %process = call i32 @getpid()
  %status = call i32 @sched_getaffinity(i32 %process, i64 128, ptr %allowed)
  %is.told = icmp eq i32 %status, 0
  br i1 %is.told, label %go, label %done
go:
  %byte = lshr i32 %mine, 3
  %bit = and i32 %mine, 7
  %one = shl i32 1, %bit
  %others = xor i32 %one, 255
  %others.of.byte = trunc i32 %others to i8
  %at = getelementptr i8, ptr %allowed, i32 %byte
  %before = load i8, ptr %at
  %after = and i8 %before, %others.of.byte
  store i8 %after, ptr %at
  %moved = call i32 @sched_setaffinity(i32 0, i64 128, ptr %allowed)    ; no processor is left: refused, and nothing happens
  br label %done
done:
  ret void
}
