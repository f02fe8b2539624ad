"""What compiled programs run on: launcher, memory, threads, calls back into Python.

What the writer of LLVM text may rely on (`library()` has to be loaded before the module):

    define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace)
        the program: see `launcher`.

    declare void @wg_parallel(ptr %body, ptr %context, i64 %n, i64 %grain)
        Runs `void body(ptr context, i64 begin, i64 end)` over disjoint ranges that cover [0, n), on some threads at once or
        on one, and returns when all are done.  Every `begin` is a multiple of `grain`, and so is every `end` but `n`: where a
        loop over the range is vectorised, a grain that is a multiple of its step makes the same entries come from the vector
        loop however the work is shared, so the bits are the same.  Which ranges, and who runs them, changes from call to call:
        a body writes what depends on its indices only (sums: one for each fixed block, put together afterwards in order).
        Inside a body, and for a second caller at the same time, it runs serially.  A region costs about a microsecond, and
        waking sleeping threads about fifty: below some 20 microseconds of work call the body directly.

    declare ptr @wg_take(i64 %bytes)         declare void @wg_give(ptr %block)
        Memory from the pool, aligned to 64 bytes; null where there is none.  For what the workspace cannot hold.

    @hosts = global [n x ptr] zeroinitializer
        Calls back into Python: `i32 host(ptr %pointers)`, where `%pointers` holds the addresses of `step.buffers()` in order;
        another number than 0 means that an exception is set aside: the entry returns it at once.  Not inside `body`.
        The pipeline fills it: `module.fill("hosts", [host.callback(step) for step in ...])`.

    @constants = global [n x ptr] zeroinitializer
        Arrays that the program reads and that no input influences, filled in the same way, so that equal programs with other
        constants are the same code.
"""
