; Blocks of memory that are used again: fresh pages cost more than most arithmetic on them.
;
; A block is preceded by its capacity.  Idle blocks lie in slots, which threads empty and fill by atomic exchange, so a
; block has one owner at any time and no lock is needed.  `@sizes` repeats the capacities as hints, which may be stale: they
; save the exchange where it would be in vain, and what is taken is measured again.
; At most SLOTS blocks and `@wg_pool_limit` bytes are idle; the slot that is filled when all are full goes round.

%Handler = type { [8 x i8], [119 x i8], i8, ptr, ptr, ptr, ptr, ptr }      ; NumPy's PyDataMem_Handler, version 1

@slots = internal global [SLOTS x ptr] zeroinitializer, align 64
@sizes = internal global [SLOTS x i64] zeroinitializer, align 64
@oldest = internal global i64 0, align 64
@wg_pool_idle = global i64 0, align 64
@wg_pool_limit = global i64 0, align 64
@wg_memory = constant %Handler {
  [8 x i8] c"wengert\00", [119 x i8] zeroinitializer, i8 1,
  ptr null, ptr @memory_new, ptr @memory_zeros, ptr @memory_resize, ptr @memory_free }

declare i32 @posix_memalign(ptr, i64, i64)
declare void @free(ptr)
declare i32 @madvise(ptr, i64, i32)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)

; A capacity is a multiple of a page less the header, so that sizes that differ by little share blocks.
define internal i64 @capacity_for(i64 %bytes) #0 {
  %padded = add i64 %bytes, 4159                                 ; 4095 + 64
  %pages = and i64 %padded, -4096
  %capacity = sub i64 %pages, 64
  ret i64 %capacity
}

define internal i64 @capacity_of(ptr %block) #0 {
  %at = getelementptr i8, ptr %block, i64 -64
  %capacity = load i64, ptr %at
  ret i64 %capacity
}

; Large blocks ask for large pages, as NumPy does: one fault for 2 MiB instead of 512.
define internal ptr @fresh(i64 %capacity) #1 {
  %at = alloca ptr
  %bytes = add i64 %capacity, 64
  %is.large = icmp uge i64 %bytes, 4194304
  %alignment = select i1 %is.large, i64 2097152, i64 64
  %status = call i32 @posix_memalign(ptr %at, i64 %alignment, i64 %bytes)
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %no, label %yes
yes:
  %memory = load ptr, ptr %at
  br i1 %is.large, label %advise, label %done
advise:
  %advised = call i32 @madvise(ptr %memory, i64 %bytes, i32 HUGE)
  br label %done
done:
  store i64 %capacity, ptr %memory
  %block = getelementptr i8, ptr %memory, i64 64
  ret ptr %block
no:
  ret ptr null
}

define internal void @release(ptr %block) #1 {
  %memory = getelementptr i8, ptr %block, i64 -64
  call void @free(ptr %memory)
  ret void
}

; A block of at least so many bytes, its content undefined; null where there is no memory.
define ptr @wg_take(i64 %bytes) #1 {
entry:
  %wanted = call i64 @capacity_for(i64 %bytes)
  %eighth = lshr i64 %wanted, 3
  %most = add i64 %wanted, %eighth
  br label %look
look:
  %k = phi i64 [ 0, %entry ], [ %k.next, %further ]
  %more = icmp ult i64 %k, SLOTS
  br i1 %more, label %hint, label %none
hint:
  %size.at = getelementptr i64, ptr @sizes, i64 %k
  %size = load atomic i64, ptr %size.at monotonic, align 8
  %enough = icmp uge i64 %size, %wanted
  %not.much.more = icmp ule i64 %size, %most
  %promising = and i1 %enough, %not.much.more
  br i1 %promising, label %try, label %further
try:
  %slot = getelementptr ptr, ptr @slots, i64 %k
  %block = atomicrmw xchg ptr %slot, ptr null acq_rel, align 8
  %is.gone = icmp eq ptr %block, null
  br i1 %is.gone, label %further, label %check
check:
  %capacity = call i64 @capacity_of(ptr %block)
  %idle = atomicrmw sub ptr @wg_pool_idle, i64 %capacity monotonic, align 8
  %really.enough = icmp uge i64 %capacity, %wanted
  br i1 %really.enough, label %found, label %another
another:                                                         ; the hint was stale
  call void @wg_give(ptr %block)
  br label %further
further:
  %k.next = add nuw nsw i64 %k, 1
  br label %look
found:
  ret ptr %block
none:
  %new = call ptr @fresh(i64 %wanted)
  ret ptr %new
}

; A block is idle from now on.
define void @wg_give(ptr %block) #1 {
entry:
  %capacity = call i64 @capacity_of(ptr %block)
  %before = atomicrmw add ptr @wg_pool_idle, i64 %capacity monotonic, align 8
  %after = add i64 %before, %capacity
  %limit = load atomic i64, ptr @wg_pool_limit monotonic, align 8
  %too.much = icmp ugt i64 %after, %limit
  br i1 %too.much, label %discard, label %look
look:
  %k = phi i64 [ 0, %entry ], [ %k.next, %further ]
  %more = icmp ult i64 %k, SLOTS
  br i1 %more, label %glance, label %full
glance:
  %slot = getelementptr ptr, ptr @slots, i64 %k
  %there = load atomic ptr, ptr %slot monotonic, align 8
  %seems.empty = icmp eq ptr %there, null
  br i1 %seems.empty, label %put, label %further
put:
  %pair = cmpxchg ptr %slot, ptr null, ptr %block acq_rel monotonic, align 8
  %done = extractvalue { ptr, i1 } %pair, 1
  br i1 %done, label %kept, label %further
further:
  %k.next = add nuw nsw i64 %k, 1
  br label %look
kept:
  %size.at = getelementptr i64, ptr @sizes, i64 %k
  store atomic i64 %capacity, ptr %size.at monotonic, align 8
  ret void
full:
  %turn = atomicrmw add ptr @oldest, i64 1 monotonic, align 8
  %oldest = urem i64 %turn, SLOTS
  %victim.slot = getelementptr ptr, ptr @slots, i64 %oldest
  %victim = atomicrmw xchg ptr %victim.slot, ptr %block acq_rel, align 8
  %victim.size.at = getelementptr i64, ptr @sizes, i64 %oldest
  store atomic i64 %capacity, ptr %victim.size.at monotonic, align 8
  %nobody = icmp eq ptr %victim, null
  br i1 %nobody, label %end, label %evict
evict:
  %victim.capacity = call i64 @capacity_of(ptr %victim)
  %less = atomicrmw sub ptr @wg_pool_idle, i64 %victim.capacity monotonic, align 8
  call void @release(ptr %victim)
  br label %end
end:
  ret void
discard:
  %back = atomicrmw sub ptr @wg_pool_idle, i64 %capacity monotonic, align 8
  call void @release(ptr %block)
  ret void
}

; Idle blocks go back to the system.
define void @wg_pool_clear() #1 {
entry:
  br label %look
look:
  %k = phi i64 [ 0, %entry ], [ %k.next, %further ]
  %more = icmp ult i64 %k, SLOTS
  br i1 %more, label %slot, label %done
slot:
  %at = getelementptr ptr, ptr @slots, i64 %k
  %block = atomicrmw xchg ptr %at, ptr null acq_rel, align 8
  %size.at = getelementptr i64, ptr @sizes, i64 %k
  store atomic i64 0, ptr %size.at monotonic, align 8
  %is.empty = icmp eq ptr %block, null
  br i1 %is.empty, label %further, label %free
free:
  %capacity = call i64 @capacity_of(ptr %block)
  %less = atomicrmw sub ptr @wg_pool_idle, i64 %capacity monotonic, align 8
  call void @release(ptr %block)
  br label %further
further:
  %k.next = add nuw nsw i64 %k, 1
  br label %look
done:
  ret void
}

; --- as NumPy asks for it, on behalf of arrays that own a block --------------------------------------------------

define internal ptr @memory_new(ptr %context, i64 %bytes) #1 {
  %block = call ptr @wg_take(i64 %bytes)
  ret ptr %block
}

define internal ptr @memory_zeros(ptr %context, i64 %n, i64 %size) #1 {
  %bytes = mul i64 %n, %size
  %block = call ptr @wg_take(i64 %bytes)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %no, label %fill
fill:
  call void @llvm.memset.p0.i64(ptr %block, i8 0, i64 %bytes, i1 false)
  br label %no
no:
  ret ptr %block
}

define internal ptr @memory_resize(ptr %context, ptr %block, i64 %bytes) #1 {
  %new = call ptr @wg_take(i64 %bytes)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %no, label %move
move:
  %capacity = call i64 @capacity_of(ptr %block)
  %kept = call i64 @llvm.umin.i64(i64 %capacity, i64 %bytes)
  call void @llvm.memcpy.p0.p0.i64(ptr %new, ptr %block, i64 %kept, i1 false)
  call void @wg_give(ptr %block)
  br label %no
no:
  ret ptr %new
}

define internal void @memory_free(ptr %context, ptr %block, i64 %bytes) #1 {
  call void @wg_give(ptr %block)
  ret void
}
