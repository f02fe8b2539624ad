; Work shared among threads.
;
; One region at a time: its body, and a counter from which everybody takes the next chunk.  `@state` is 1 while chunks may
; be left, plus 2 for each worker inside, so late workers stay out and nobody waits for those that sleep.  Workers look for
; a new generation for a while, then sleep on a condition.  They keep off the processor of the caller (placement.ll).

@wg_threads = global i64 1, align 128              ; how many may work at once, the caller included
@wg_started = global i64 0, align 8                ; workers that exist
@busy = internal global i64 0, align 128
@generation = internal global i64 0, align 128
@state = internal global i64 0, align 128
@counter = internal global i64 0, align 128
@sleepers = internal global i64 0, align 128
@body = internal global ptr null, align 128
@context = internal global ptr null
@length = internal global i64 0
@chunk = internal global i64 0
@mutex = internal global [128 x i8] zeroinitializer, align 128
@condition = internal global [128 x i8] zeroinitializer, align 128

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @sched_yield()

; Before the first region, and in the child of a fork, where no worker has come along.
define void @wg_threads_reset() #1 {
  %a = call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  %b = call i32 @pthread_cond_init(ptr @condition, ptr null)
  store atomic i64 0, ptr @wg_started seq_cst, align 8
  store atomic i64 0, ptr @state seq_cst, align 8
  store atomic i64 0, ptr @sleepers seq_cst, align 8
  store atomic i64 0, ptr @busy seq_cst, align 8
  ret void
}

; Chunks, until none is left.
define internal void @work() #1 {
entry:
  %body = load ptr, ptr @body
  %context = load ptr, ptr @context
  %n = load i64, ptr @length
  %chunk = load i64, ptr @chunk
  br label %next
next:
  %begin = atomicrmw add ptr @counter, i64 %chunk acq_rel, align 8
  %left = icmp slt i64 %begin, %n
  br i1 %left, label %run, label %done
run:
  %stop = add i64 %begin, %chunk
  %end = call i64 @llvm.smin.i64(i64 %stop, i64 %n)
  call void %body(ptr %context, i64 %begin, i64 %end)
  br label %next
done:
  ret void
}

; Take part in the region that is open, if one is.
define internal void @join() #1 {
entry:
  %first = load atomic i64, ptr @state acquire, align 8
  br label %look
look:
  %seen = phi i64 [ %first, %entry ], [ %now, %enter ]
  %open = and i64 %seen, 1
  %is.open = icmp ne i64 %open, 0
  br i1 %is.open, label %enter, label %done
enter:
  %more = add i64 %seen, 2
  %pair = cmpxchg ptr @state, i64 %seen, i64 %more acq_rel acquire, align 8
  %now = extractvalue { i64, i1 } %pair, 0
  %entered = extractvalue { i64, i1 } %pair, 1
  br i1 %entered, label %inside, label %look
inside:
  call void @work()
  %out = atomicrmw sub ptr @state, i64 2 acq_rel, align 8
  br label %done
done:
  ret void
}

; Until the generation is another one.
define internal void @sleep(i64 %seen) #1 {
entry:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %before = atomicrmw add ptr @sleepers, i64 1 seq_cst, align 8
  br label %look
look:
  %now = load atomic i64, ptr @generation seq_cst, align 8
  %same = icmp eq i64 %now, %seen
  br i1 %same, label %wait, label %up
wait:
  %woken = call i32 @pthread_cond_wait(ptr @condition, ptr @mutex)
  br label %look
up:
  %after = atomicrmw sub ptr @sleepers, i64 1 seq_cst, align 8
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}

define internal ptr @worker(ptr %argument) #1 {
entry:
  %number = ptrtoint ptr %argument to i64
  br label %watch
watch:
  %seen = phi i64 [ 0, %entry ], [ %seen, %slept ], [ %now, %excused ], [ %now, %take.part ]
  call void @keep_apart()
  br label %spin
spin:
  %k = phi i64 [ 0, %watch ], [ %k.next, %pause ]
  %now = load atomic i64, ptr @generation acquire, align 8
  %is.new = icmp ne i64 %now, %seen
  br i1 %is.new, label %called, label %idle
idle:
  %k.next = add i64 %k, 1
  %is.tired = icmp ugt i64 %k, SPINS
  br i1 %is.tired, label %slept, label %pause
pause:
  PAUSE
  br label %spin
slept:
  call void @sleep(i64 %seen)
  br label %watch
called:
  %threads = load atomic i64, ptr @wg_threads monotonic, align 8
  %is.wanted = icmp slt i64 %number, %threads
  br i1 %is.wanted, label %take.part, label %excused
excused:
  br label %watch
take.part:
  call void @join()
  br label %watch
}

; Workers 1 ... threads - 1, those that are missing; signals are for the threads of Python.
define internal void @start(i64 %threads) #1 {
entry:
  %all = alloca [256 x i8], align 16
  %former = alloca [256 x i8], align 16
  %thread = alloca ptr
  %filled = call i32 @sigfillset(ptr %all)
  %masked = call i32 @pthread_sigmask(i32 SIG_SETMASK, ptr %all, ptr %former)
  %started = load atomic i64, ptr @wg_started monotonic, align 8
  %first = add i64 %started, 1
  br label %next
next:
  %k = phi i64 [ %first, %entry ], [ %k.next, %created ]
  %more = icmp slt i64 %k, %threads
  br i1 %more, label %create, label %done
create:
  %number = inttoptr i64 %k to ptr
  %status = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr %number)
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %done, label %created
created:
  %handle = load ptr, ptr %thread
  %detached = call i32 @pthread_detach(ptr %handle)
  store atomic i64 %k, ptr @wg_started monotonic, align 8
  %k.next = add i64 %k, 1
  br label %next
done:
  %restored = call i32 @pthread_sigmask(i32 SIG_SETMASK, ptr %former, ptr null)
  ret void
}

; A chunk: some four for each thread, a multiple of the grain.
define internal i64 @chunk_for(i64 %n, i64 %threads, i64 %grain) #0 {
  %parts = mul i64 %threads, 4
  %part = udiv i64 %n, %parts
  %grains = udiv i64 %part, %grain
  %at.least = call i64 @llvm.smax.i64(i64 %grains, i64 1)
  %chunk = mul i64 %at.least, %grain
  ret i64 %chunk
}

define void @wg_parallel(ptr %body, ptr %context, i64 %n, i64 %grain) #1 {
entry:
  %threads = load atomic i64, ptr @wg_threads monotonic, align 8
  %alone = icmp sle i64 %threads, 1
  %short = icmp sle i64 %n, %grain
  %no.use = or i1 %alone, %short
  br i1 %no.use, label %serial, label %ask
ask:
  %pair = cmpxchg ptr @busy, i64 0, i64 1 acq_rel monotonic, align 8
  %free = extractvalue { i64, i1 } %pair, 1
  br i1 %free, label %prepare, label %serial
serial:
  call void %body(ptr %context, i64 0, i64 %n)
  ret void
prepare:
  %started = load atomic i64, ptr @wg_started monotonic, align 8
  %workers = sub i64 %threads, 1
  %some.missing = icmp slt i64 %started, %workers
  br i1 %some.missing, label %start, label %open
start:
  call void @start(i64 %threads)
  br label %open
open:
  call void @here()
  store ptr %body, ptr @body
  store ptr %context, ptr @context
  store i64 %n, ptr @length
  %chunk = call i64 @chunk_for(i64 %n, i64 %threads, i64 %grain)
  store i64 %chunk, ptr @chunk
  store atomic i64 0, ptr @counter release, align 8
  store atomic i64 1, ptr @state release, align 8
  %generation = atomicrmw add ptr @generation, i64 1 seq_cst, align 8
  %asleep = load atomic i64, ptr @sleepers seq_cst, align 8
  %some.asleep = icmp sgt i64 %asleep, 0
  br i1 %some.asleep, label %wake, label %mine
wake:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %woken = call i32 @pthread_cond_broadcast(ptr @condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  br label %mine
mine:
  call void @work()
  %closed = atomicrmw and ptr @state, i64 -2 acq_rel, align 8
  br label %wait
wait:
  %k = phi i64 [ 0, %mine ], [ %k.next, %pause ], [ 0, %yield ]
  %inside = load atomic i64, ptr @state acquire, align 8
  %all.out = icmp eq i64 %inside, 0
  br i1 %all.out, label %done, label %longer
longer:
  %k.next = add i64 %k, 1
  %is.long = icmp ugt i64 %k, SPINS
  br i1 %is.long, label %yield, label %pause
pause:
  PAUSE
  br label %wait
yield:
  %yielded = call i32 @sched_yield()
  br label %wait
done:
  store atomic i64 0, ptr @busy release, align 8
  ret void
}

declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
DECLARE_PAUSE
