; The launcher: one METH_FASTCALL builtin for every compiled program, and one for every choice among programs.
;
; `self` is an int64 ndarray whose memory is a %Launch (wengert.compiler.runtime.launcher packs it) or a %Dispatch.  A call
; checks that what the program is bound to is as it was, checks its arguments against the inputs, makes the outputs, runs the
; entry, and returns the results:
;
;   None         the arguments are not of this signature: take another way
;   an int k     guard k does not hold: the results are dropped
;   NULL         an exception is set
;   otherwise    the result, or the tuple of results
;
; Layouts are those of CPython and NumPy on 64-bit machines; the self-test at import checks them.

%PyObject = type { [HEAD x i8], ptr }                                            ; counts, type
%PyArray = type { %PyObject, ptr, i32, ptr, ptr, ptr, ptr, i32, ptr, ptr, ptr }
;                            data nd   dims strides base descr flags weak buffer handler
%PyList = type { %PyObject, i64, ptr }                                           ; size, items
%PyNumber = type { %PyObject, [16 x i8] }

%Input = type { i64, ptr, ptr, i64, ptr, i64 }   ; kind, type or object, dtype, number of axes, lengths, place in the table
%Output = type { i64, ptr, i64, ptr, i64 }       ; kind, dtype, number of axes, lengths, bytes
%Watch = type { i64, ptr, ptr, i64, ptr }        ; kind, owner, key, index or length, value or values
%Launch = type { ptr, i64, ptr, i64, ptr, i64, i64, i64, i64, ptr, i64, ptr, i64, ptr, ptr, i64, ptr, ptr }
;                entry, inputs, outputs, workspace bytes, releases the GIL, results, is single, on_error, bound, watches, finish, doubts,
;                shape of the call, nodes of the result (containers.ll)
%Dispatch = type { i64, ptr, ptr }               ; launches, otherwise
%Scratch = type { i64, i64, i64, i64 }           ; room for a number of any dtype

; kinds of inputs: 0 array, 1 number, 2 the very object, 3 one that equals it, of its type; the program is not given these
; kinds of watches: 0 item of a dictionary, 1 content of a cell, 2 item of a list, 3 length, 4 content of a list
; kinds of outputs: 0 small array, 1 array from the pool, 2 NumPy scalar, 3 Python float, 4 Python complex, 5 guard

@wg_none = external global i8
@wg_ndarray = external global i8
@wg_int = external global i8
@wg_handler = global ptr null

declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare ptr @PyLong_FromLong(i64)
declare ptr @PyFloat_FromDouble(double)
declare ptr @PyComplex_FromDoubles(double, double)
declare ptr @PyErr_NoMemory()
declare ptr @PyObject_CallFunctionObjArgs(ptr, ...)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyDict_GetItemWithError(ptr, ptr)
declare ptr @PyList_GetItem(ptr, i64)
declare ptr @PyCell_Get(ptr)
declare i64 @PyObject_Size(ptr)
declare i32 @memcmp(ptr, ptr, i64)
declare void @PyErr_Clear()
declare i32 @PyErr_ExceptionMatches(ptr)
@PyExc_Exception = external global ptr
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @wg_PyArray_Empty(i32, ptr, ptr, i32)
declare ptr @wg_PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare ptr @wg_PyArray_Scalar(ptr, ptr, ptr)

; --- inputs: where the data of an argument lies, or null if it is not what the signature says ---------------------

define internal ptr @data_of_array(ptr %x, ptr %input) #0 {
entry:
  %type.at = getelementptr %PyObject, ptr %x, i32 0, i32 1
  %type = load ptr, ptr %type.at
  %is.array = icmp eq ptr %type, @wg_ndarray
  br i1 %is.array, label %fields, label %no
fields:
  %nd.at = getelementptr %PyArray, ptr %x, i32 0, i32 2
  %nd32 = load i32, ptr %nd.at
  %nd = sext i32 %nd32 to i64
  %descr.at = getelementptr %PyArray, ptr %x, i32 0, i32 6
  %descr = load ptr, ptr %descr.at
  %flags.at = getelementptr %PyArray, ptr %x, i32 0, i32 7
  %flags = load i32, ptr %flags.at
  %wanted.descr.at = getelementptr %Input, ptr %input, i32 0, i32 2
  %wanted.descr = load ptr, ptr %wanted.descr.at
  %wanted.nd.at = getelementptr %Input, ptr %input, i32 0, i32 3
  %wanted.nd = load i64, ptr %wanted.nd.at
  %same.descr = icmp eq ptr %descr, %wanted.descr
  %same.nd = icmp eq i64 %nd, %wanted.nd
  %tidy = and i32 %flags, 257                                                    ; C_CONTIGUOUS, ALIGNED
  %is.tidy = icmp eq i32 %tidy, 257
  %so.far = and i1 %same.descr, %same.nd
  %fits = and i1 %so.far, %is.tidy
  br i1 %fits, label %lengths, label %no
lengths:
  %dims.at = getelementptr %PyArray, ptr %x, i32 0, i32 3
  %dims = load ptr, ptr %dims.at
  %wanted.dims.at = getelementptr %Input, ptr %input, i32 0, i32 4
  %wanted.dims = load ptr, ptr %wanted.dims.at
  br label %axis
axis:
  %k = phi i64 [ 0, %lengths ], [ %k.next, %same ]
  %more = icmp slt i64 %k, %nd
  br i1 %more, label %length, label %yes
length:
  %length.at = getelementptr i64, ptr %dims, i64 %k
  %n = load i64, ptr %length.at
  %wanted.at = getelementptr i64, ptr %wanted.dims, i64 %k
  %wanted = load i64, ptr %wanted.at
  %agrees = icmp eq i64 %n, %wanted
  br i1 %agrees, label %same, label %no
same:
  %k.next = add nuw nsw i64 %k, 1
  br label %axis
yes:
  %data.at = getelementptr %PyArray, ptr %x, i32 0, i32 1
  %data = load ptr, ptr %data.at
  ret ptr %data
no:
  ret ptr null
}

define internal ptr @data_of_number(ptr %x, ptr %input) #0 {
  %type.at = getelementptr %PyObject, ptr %x, i32 0, i32 1
  %type = load ptr, ptr %type.at
  %wanted.at = getelementptr %Input, ptr %input, i32 0, i32 1
  %wanted = load ptr, ptr %wanted.at
  %fits = icmp eq ptr %type, %wanted
  %value = getelementptr %PyNumber, ptr %x, i32 0, i32 1
  %data = select i1 %fits, ptr %value, ptr null
  ret ptr %data
}

define internal ptr @data_of(ptr %x, ptr %input) #0 {
  %kind = load i64, ptr %input
  switch i64 %kind, label %object [ i64 0, label %array
                                    i64 1, label %number
                                    i64 3, label %setting ]
array:
  %of.array = call ptr @data_of_array(ptr %x, ptr %input)
  ret ptr %of.array
number:
  %of.number = call ptr @data_of_number(ptr %x, ptr %input)
  ret ptr %of.number
setting:
  %value.at = getelementptr %Input, ptr %input, i32 0, i32 1
  %value = load ptr, ptr %value.at
  %equals = call i1 @is_equal(ptr %x, ptr %value)
  %of.setting = select i1 %equals, ptr %x, ptr null
  ret ptr %of.setting
object:
  %wanted.at = getelementptr %Input, ptr %input, i32 0, i32 1
  %wanted = load ptr, ptr %wanted.at
  %fits = icmp eq ptr %x, %wanted
  %found = select i1 %fits, ptr %x, ptr null
  ret ptr %found
}

define internal i1 @read_inputs(ptr %launch, ptr %args, ptr %data) #0 {
entry:
  %n.at = getelementptr %Launch, ptr %launch, i32 0, i32 1
  %n = load i64, ptr %n.at
  %inputs.at = getelementptr %Launch, ptr %launch, i32 0, i32 2
  %inputs = load ptr, ptr %inputs.at
  %n.bound.at = getelementptr %Launch, ptr %launch, i32 0, i32 10
  %n.bound = load i64, ptr %n.bound.at
  %bound.at = getelementptr %Launch, ptr %launch, i32 0, i32 11
  %bound = load ptr, ptr %bound.at
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %stored ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %input, label %done
input:
  %is.bound = icmp slt i64 %k, %n.bound
  %k.arg = sub i64 %k, %n.bound
  %table = select i1 %is.bound, ptr %bound, ptr %args
  %number = select i1 %is.bound, i64 %k, i64 %k.arg
  %arg.at = getelementptr ptr, ptr %table, i64 %number
  %arg = load ptr, ptr %arg.at
  %spec = getelementptr %Input, ptr %inputs, i64 %k
  %found = call ptr @data_of(ptr %arg, ptr %spec)
  %misfit = icmp eq ptr %found, null
  br i1 %misfit, label %no, label %fits
fits:
  %slot.at = getelementptr %Input, ptr %spec, i32 0, i32 5
  %slot = load i64, ptr %slot.at
  %is.given = icmp sge i64 %slot, 0
  br i1 %is.given, label %store, label %stored
store:
  %place = getelementptr ptr, ptr %data, i64 %slot
  store ptr %found, ptr %place
  br label %stored
stored:
  %k.next = add nuw nsw i64 %k, 1
  br label %next
done:
  ret i1 1
no:
  ret i1 0
}

; --- what a program is bound to: where its function found things, they must be still ---------------------------------

define internal i1 @is_item(ptr %owner, ptr %key, ptr %value) #1 {
  %found = call ptr @PyDict_GetItemWithError(ptr %owner, ptr %key)
  %same = icmp eq ptr %found, %value
  br i1 %same, label %yes, label %no
yes:
  ret i1 1
no:
  call void @PyErr_Clear()
  ret i1 0
}

define internal i1 @is_in_cell(ptr %owner, ptr %value) #1 {
  %found = call ptr @PyCell_Get(ptr %owner)
  %same = icmp eq ptr %found, %value
  %is.empty = icmp eq ptr %found, null
  br i1 %is.empty, label %done, label %count
count:
  call void @Py_DecRef(ptr %found)
  br label %done
done:
  ret i1 %same
}

define internal i1 @is_in_list(ptr %owner, i64 %index, ptr %value) #1 {
  %found = call ptr @PyList_GetItem(ptr %owner, i64 %index)
  %same = icmp eq ptr %found, %value
  br i1 %same, label %yes, label %no
yes:
  ret i1 1
no:
  call void @PyErr_Clear()
  ret i1 0
}

; Every item of a list at once: a thousand calls for its items would take longer than most programs.
define internal i1 @has_content(ptr %owner, ptr %values, i64 %n) #1 {
  %size.at = getelementptr %PyList, ptr %owner, i32 0, i32 1
  %size = load i64, ptr %size.at
  %is.long = icmp eq i64 %size, %n
  br i1 %is.long, label %compare, label %no
compare:
  %items.at = getelementptr %PyList, ptr %owner, i32 0, i32 2
  %items = load ptr, ptr %items.at
  %bytes = shl i64 %n, 3
  %order = call i32 @memcmp(ptr %items, ptr %values, i64 %bytes)
  %same = icmp eq i32 %order, 0
  ret i1 %same
no:
  ret i1 0
}

define internal i1 @is_long_as(ptr %owner, i64 %length) #1 {
  %n = call i64 @PyObject_Size(ptr %owner)
  %same = icmp eq i64 %n, %length
  br i1 %same, label %yes, label %no
yes:
  ret i1 1
no:
  call void @PyErr_Clear()
  ret i1 0
}

define internal i1 @is_as_it_was(ptr %watch) #1 {
  %kind = load i64, ptr %watch
  %owner.at = getelementptr %Watch, ptr %watch, i32 0, i32 1
  %owner = load ptr, ptr %owner.at
  %key.at = getelementptr %Watch, ptr %watch, i32 0, i32 2
  %key = load ptr, ptr %key.at
  %index.at = getelementptr %Watch, ptr %watch, i32 0, i32 3
  %index = load i64, ptr %index.at
  %value.at = getelementptr %Watch, ptr %watch, i32 0, i32 4
  %value = load ptr, ptr %value.at
  switch i64 %kind, label %length [ i64 0, label %item
                                    i64 1, label %cell
                                    i64 2, label %list
                                    i64 4, label %content ]
item:
  %a = call i1 @is_item(ptr %owner, ptr %key, ptr %value)
  ret i1 %a
cell:
  %b = call i1 @is_in_cell(ptr %owner, ptr %value)
  ret i1 %b
list:
  %c = call i1 @is_in_list(ptr %owner, i64 %index, ptr %value)
  ret i1 %c
content:
  %e = call i1 @has_content(ptr %owner, ptr %value, i64 %index)
  ret i1 %e
length:
  %d = call i1 @is_long_as(ptr %owner, i64 %index)
  ret i1 %d
}

define internal i1 @is_unchanged(ptr %launch) #0 {
entry:
  %n.at = getelementptr %Launch, ptr %launch, i32 0, i32 12
  %n = load i64, ptr %n.at
  %watches.at = getelementptr %Launch, ptr %launch, i32 0, i32 13
  %watches = load ptr, ptr %watches.at
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %good ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %look, label %yes
look:
  %watch = getelementptr %Watch, ptr %watches, i64 %k
  %holds = call i1 @is_as_it_was(ptr %watch)
  br i1 %holds, label %good, label %no
good:
  %k.next = add nuw nsw i64 %k, 1
  br label %next
yes:
  ret i1 1
no:
  ret i1 0
}

; --- outputs ------------------------------------------------------------------------------------------------------

; A new array, in memory of NumPy's own; its dtype is counted once more, as PyArray_Empty takes a reference.
define internal ptr @small_array(ptr %output) #0 {
  %descr.at = getelementptr %Output, ptr %output, i32 0, i32 1
  %descr = load ptr, ptr %descr.at
  %nd.at = getelementptr %Output, ptr %output, i32 0, i32 2
  %nd = load i64, ptr %nd.at
  %nd32 = trunc i64 %nd to i32
  %dims.at = getelementptr %Output, ptr %output, i32 0, i32 3
  %dims = load ptr, ptr %dims.at
  call void @Py_IncRef(ptr %descr)
  %array = call ptr @wg_PyArray_Empty(i32 %nd32, ptr %dims, ptr %descr, i32 0)
  ret ptr %array
}

; A new array in a block of the pool, which it owns: its handler gives the block back.
define internal ptr @pooled_array(ptr %output) #0 {
  %bytes.at = getelementptr %Output, ptr %output, i32 0, i32 4
  %bytes = load i64, ptr %bytes.at
  %block = call ptr @wg_take(i64 %bytes)
  %is.missing = icmp eq ptr %block, null
  br i1 %is.missing, label %no.memory, label %make
make:
  %descr.at = getelementptr %Output, ptr %output, i32 0, i32 1
  %descr = load ptr, ptr %descr.at
  %nd.at = getelementptr %Output, ptr %output, i32 0, i32 2
  %nd = load i64, ptr %nd.at
  %nd32 = trunc i64 %nd to i32
  %dims.at = getelementptr %Output, ptr %output, i32 0, i32 3
  %dims = load ptr, ptr %dims.at
  call void @Py_IncRef(ptr %descr)
  %array = call ptr @wg_PyArray_NewFromDescr(ptr @wg_ndarray, ptr %descr, i32 %nd32, ptr %dims, ptr null, ptr %block, i32 1025, ptr null)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %give.back, label %own
own:
  %handler = load ptr, ptr @wg_handler
  call void @Py_IncRef(ptr %handler)
  %handler.at = getelementptr %PyArray, ptr %array, i32 0, i32 10
  store ptr %handler, ptr %handler.at
  %flags.at = getelementptr %PyArray, ptr %array, i32 0, i32 7
  %flags = load i32, ptr %flags.at
  %owned = or i32 %flags, 4                                                      ; OWNDATA
  store i32 %owned, ptr %flags.at
  ret ptr %array
give.back:
  call void @wg_give(ptr %block)
  ret ptr null
no.memory:
  %null = call ptr @PyErr_NoMemory()
  ret ptr null
}

; Makes the arrays, and finds memory for the entry to write to; numbers get scratch memory.
define internal i1 @make_outputs(ptr %launch, ptr %objects, ptr %data, ptr %scratch) #0 {
entry:
  %n.at = getelementptr %Launch, ptr %launch, i32 0, i32 3
  %n = load i64, ptr %n.at
  %outputs.at = getelementptr %Launch, ptr %launch, i32 0, i32 4
  %outputs = load ptr, ptr %outputs.at
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %placed ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %output, label %done
output:
  %spec = getelementptr %Output, ptr %outputs, i64 %k
  %object.at = getelementptr ptr, ptr %objects, i64 %k
  %data.at = getelementptr ptr, ptr %data, i64 %k
  %kind = load i64, ptr %spec
  switch i64 %kind, label %number [ i64 0, label %small
                                    i64 1, label %large ]
small:
  %small.array = call ptr @small_array(ptr %spec)
  br label %made
large:
  %large.array = call ptr @pooled_array(ptr %spec)
  br label %made
made:
  %array = phi ptr [ %small.array, %small ], [ %large.array, %large ]
  store ptr %array, ptr %object.at
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %no, label %with.data
with.data:
  %memory.at = getelementptr %PyArray, ptr %array, i32 0, i32 1
  %memory = load ptr, ptr %memory.at
  br label %placed
number:
  store ptr null, ptr %object.at
  %room = getelementptr %Scratch, ptr %scratch, i64 %k
  br label %placed
placed:
  %place = phi ptr [ %memory, %with.data ], [ %room, %number ]
  store ptr %place, ptr %data.at
  %k.next = add nuw nsw i64 %k, 1
  br label %next
done:
  ret i1 1
no:
  call void @drop(ptr %objects, i64 %k)
  ret i1 0
}

; Forgets the first n objects, those that are there.
define internal void @drop(ptr %objects, i64 %n) #1 {
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %dropped ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %object, label %done
object:
  %at = getelementptr ptr, ptr %objects, i64 %k
  %x = load ptr, ptr %at
  %is.null = icmp eq ptr %x, null
  br i1 %is.null, label %dropped, label %release
release:
  call void @Py_DecRef(ptr %x)
  br label %dropped
dropped:
  %k.next = add nuw nsw i64 %k, 1
  br label %next
done:
  ret void
}

; The first guard that does not hold, or -1.
define internal i64 @first_failure(ptr %launch, ptr %scratch) #0 {
entry:
  %results.at = getelementptr %Launch, ptr %launch, i32 0, i32 7
  %results = load i64, ptr %results.at
  %n.at = getelementptr %Launch, ptr %launch, i32 0, i32 3
  %n = load i64, ptr %n.at
  br label %next
next:
  %k = phi i64 [ %results, %entry ], [ %k.next, %holds ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %guard, label %none
guard:
  %at = getelementptr %Scratch, ptr %scratch, i64 %k
  %truth = load i8, ptr %at
  %is.false = icmp eq i8 %truth, 0
  br i1 %is.false, label %found, label %holds
holds:
  %k.next = add nuw nsw i64 %k, 1
  br label %next
found:
  %guard.number = sub nuw nsw i64 %k, %results
  ret i64 %guard.number
none:
  ret i64 -1
}

define internal ptr @number(ptr %output, ptr %value) #0 {
  %kind = load i64, ptr %output
  switch i64 %kind, label %scalar [ i64 3, label %float
                                    i64 4, label %complex ]
scalar:
  %descr.at = getelementptr %Output, ptr %output, i32 0, i32 1
  %descr = load ptr, ptr %descr.at
  %a = call ptr @wg_PyArray_Scalar(ptr %value, ptr %descr, ptr null)
  ret ptr %a
float:
  %x = load double, ptr %value
  %b = call ptr @PyFloat_FromDouble(double %x)
  ret ptr %b
complex:
  %re = load double, ptr %value
  %im.at = getelementptr double, ptr %value, i64 1
  %im = load double, ptr %im.at
  %c = call ptr @PyComplex_FromDoubles(double %re, double %im)
  ret ptr %c
}

; Numbers become objects; false with an exception if one does not.
define internal i1 @make_numbers(ptr %launch, ptr %objects, ptr %scratch) #0 {
entry:
  %n.at = getelementptr %Launch, ptr %launch, i32 0, i32 7
  %n = load i64, ptr %n.at
  %outputs.at = getelementptr %Launch, ptr %launch, i32 0, i32 4
  %outputs = load ptr, ptr %outputs.at
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %there ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %result, label %done
result:
  %at = getelementptr ptr, ptr %objects, i64 %k
  %x = load ptr, ptr %at
  %is.number = icmp eq ptr %x, null
  br i1 %is.number, label %make, label %there
make:
  %spec = getelementptr %Output, ptr %outputs, i64 %k
  %value = getelementptr %Scratch, ptr %scratch, i64 %k
  %made = call ptr @number(ptr %spec, ptr %value)
  store ptr %made, ptr %at
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %no, label %there
there:
  %k.next = add nuw nsw i64 %k, 1
  br label %next
done:
  ret i1 1
no:
  ret i1 0
}

; The tuple of n objects, which it takes over; null with an exception, and the objects dropped, if it cannot be made.
define internal ptr @tuple(ptr %objects, i64 %n) #0 {
entry:
  %tuple = call ptr @PyTuple_New(i64 %n)
  %failed = icmp eq ptr %tuple, null
  br i1 %failed, label %no, label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %object ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %object, label %done
object:
  %at = getelementptr ptr, ptr %objects, i64 %k
  %x = load ptr, ptr %at
  %status = call i32 @PyTuple_SetItem(ptr %tuple, i64 %k, ptr %x)
  %k.next = add nuw nsw i64 %k, 1
  br label %next
done:
  ret ptr %tuple
no:
  call void @drop(ptr %objects, i64 %n)
  ret ptr null
}

; --- running ------------------------------------------------------------------------------------------------------

; Runs the entry with a workspace of this call's own; -1 where there is no memory for that.
define internal i32 @run(ptr %launch, ptr %inputs, ptr %outputs, ptr %near) #0 {
entry:
  %entry.at = getelementptr %Launch, ptr %launch, i32 0, i32 0
  %program = load ptr, ptr %entry.at
  %bytes.at = getelementptr %Launch, ptr %launch, i32 0, i32 5
  %bytes = load i64, ptr %bytes.at
  %release.at = getelementptr %Launch, ptr %launch, i32 0, i32 6
  %release = load i64, ptr %release.at
  %is.large = icmp sgt i64 %bytes, NEAR
  br i1 %is.large, label %take, label %start
take:
  %block = call ptr @wg_take(i64 %bytes)
  %is.missing = icmp eq ptr %block, null
  br i1 %is.missing, label %no.memory, label %start
start:
  %workspace = phi ptr [ %near, %entry ], [ %block, %take ]
  %releases = icmp ne i64 %release, 0
  br i1 %releases, label %freely, label %directly
freely:
  %thread = call ptr @PyEval_SaveThread()
  %status.freely = call i32 %program(ptr %inputs, ptr %outputs, ptr %workspace)
  call void @PyEval_RestoreThread(ptr %thread)
  br label %finish
directly:
  %status.directly = call i32 %program(ptr %inputs, ptr %outputs, ptr %workspace)
  br label %finish
finish:
  %status = phi i32 [ %status.freely, %freely ], [ %status.directly, %directly ]
  br i1 %is.large, label %give, label %done
give:
  call void @wg_give(ptr %workspace)
  br label %done
done:
  ret i32 %status
no.memory:
  ret i32 -1
}

; A program that stopped: `on_error(status)` raises what went wrong.
define internal ptr @explain(ptr %launch, i32 %status) #1 {
entry:
  %is.memory = icmp eq i32 %status, -1
  br i1 %is.memory, label %memory, label %ask
memory:
  %null = call ptr @PyErr_NoMemory()
  ret ptr null
ask:
  %code = sext i32 %status to i64
  %number = call ptr @PyLong_FromLong(i64 %code)
  %failed = icmp eq ptr %number, null
  br i1 %failed, label %no, label %call
call:
  %callable.at = getelementptr %Launch, ptr %launch, i32 0, i32 9
  %callable = load ptr, ptr %callable.at
  %answer = call ptr (ptr, ...) @PyObject_CallFunctionObjArgs(ptr %callable, ptr %number, ptr null)
  call void @Py_DecRef(ptr %number)
  ret ptr %answer
no:
  ret ptr null
}

; A call: its containers and keywords are taken apart, if the launch has any.
define internal ptr @attempt(ptr %launch, ptr %args, i64 %n.args, ptr %keywords) #1 {
entry:
  %shape.at = getelementptr %Launch, ptr %launch, i32 0, i32 16
  %shape = load ptr, ptr %shape.at
  %is.flat = icmp eq ptr %shape, null
  br i1 %is.flat, label %flat, label %shaped
flat:
  %is.plain = icmp eq ptr %keywords, null
  br i1 %is.plain, label %directly, label %not.this
directly:
  %result = call ptr @perform(ptr %launch, ptr %args, i64 %n.args)
  ret ptr %result
shaped:
  %n.at = getelementptr %Launch, ptr %launch, i32 0, i32 1
  %n = load i64, ptr %n.at
  %leaves = alloca ptr, i64 %n
  %next = alloca ptr
  store ptr %leaves, ptr %next
  %fits = call i1 @unpack_call(ptr %shape, ptr %args, i64 %n.args, ptr %keywords, ptr %next)
  %end = load ptr, ptr %next
  %end.address = ptrtoint ptr %end to i64
  %start.address = ptrtoint ptr %leaves to i64
  %bytes = sub i64 %end.address, %start.address
  %n.leaves = lshr i64 %bytes, 3
  br i1 %fits, label %unpacked, label %misfit
unpacked:
  %answer = call ptr @perform(ptr %launch, ptr %leaves, i64 %n.leaves)
  call void @drop(ptr %leaves, i64 %n.leaves)
  ret ptr %answer
misfit:
  call void @drop(ptr %leaves, i64 %n.leaves)
  br label %not.this
not.this:
  call void @Py_IncRef(ptr @wg_none)
  ret ptr @wg_none
}

define internal ptr @perform(ptr %launch, ptr %args, i64 %n.args) #1 {
entry:
  %near = alloca [NEAR x i8], align 64
  %n.at = getelementptr %Launch, ptr %launch, i32 0, i32 1
  %n = load i64, ptr %n.at
  %n.bound.at = getelementptr %Launch, ptr %launch, i32 0, i32 10
  %n.bound = load i64, ptr %n.bound.at
  %n.given = add i64 %n.args, %n.bound
  %right.number = icmp eq i64 %n, %n.given
  br i1 %right.number, label %watch, label %not.this
watch:
  %unchanged = call i1 @is_unchanged(ptr %launch)
  br i1 %unchanged, label %read, label %not.this
read:
  %m.at = getelementptr %Launch, ptr %launch, i32 0, i32 3
  %m = load i64, ptr %m.at
  %inputs = alloca ptr, i64 %n
  %outputs = alloca ptr, i64 %m
  %objects = alloca ptr, i64 %m
  %scratch = alloca %Scratch, i64 %m, align 16
  %fits = call i1 @read_inputs(ptr %launch, ptr %args, ptr %inputs)
  br i1 %fits, label %prepare, label %not.this
prepare:
  %prepared = call i1 @make_outputs(ptr %launch, ptr %objects, ptr %outputs, ptr %scratch)
  br i1 %prepared, label %go, label %error
go:
  %status = call i32 @run(ptr %launch, ptr %inputs, ptr %outputs, ptr %near)
  %stopped = icmp ne i32 %status, 0
  br i1 %stopped, label %failure, label %guards
guards:
  %results.at = getelementptr %Launch, ptr %launch, i32 0, i32 7
  %results = load i64, ptr %results.at
  %broken = call i64 @first_failure(ptr %launch, ptr %scratch)
  %is.broken = icmp sge i64 %broken, 0
  br i1 %is.broken, label %guard.failed, label %numbers
numbers:
  %complete = call i1 @make_numbers(ptr %launch, ptr %objects, ptr %scratch)
  br i1 %complete, label %return, label %incomplete
return:
  %nodes.at = getelementptr %Launch, ptr %launch, i32 0, i32 17
  %nodes = load ptr, ptr %nodes.at
  %is.container = icmp ne ptr %nodes, null
  br i1 %is.container, label %container, label %plain
container:
  %cursor = alloca ptr
  store ptr %nodes, ptr %cursor
  %built = call ptr @build(ptr %cursor, ptr %objects)
  %not.built = icmp eq ptr %built, null
  br i1 %not.built, label %incomplete, label %ready
ready:
  ret ptr %built
plain:
  %single.at = getelementptr %Launch, ptr %launch, i32 0, i32 8
  %single = load i64, ptr %single.at
  %is.single = icmp ne i64 %single, 0
  br i1 %is.single, label %one, label %many
one:
  %only = load ptr, ptr %objects
  br label %finish
many:
  %tuple = call ptr @tuple(ptr %objects, i64 %results)
  %no.tuple = icmp eq ptr %tuple, null
  br i1 %no.tuple, label %error, label %finish
finish:
  %result = phi ptr [ %only, %one ], [ %tuple, %many ]
  %finish.at = getelementptr %Launch, ptr %launch, i32 0, i32 14
  %callable = load ptr, ptr %finish.at
  %is.finished = icmp eq ptr %callable, null
  br i1 %is.finished, label %done, label %wrap
done:
  ret ptr %result
wrap:
  %wrapped = call ptr (ptr, ...) @PyObject_CallFunctionObjArgs(ptr %callable, ptr %result, ptr null)
  call void @Py_DecRef(ptr %result)
  ret ptr %wrapped
not.this:
  call void @Py_IncRef(ptr @wg_none)
  ret ptr @wg_none
guard.failed:
  call void @drop(ptr %objects, i64 %m)
  %which = call ptr @PyLong_FromLong(i64 %broken)
  ret ptr %which
failure:
  call void @drop(ptr %objects, i64 %m)
  %answer = call ptr @explain(ptr %launch, i32 %status)
  ret ptr %answer
incomplete:
  call void @drop(ptr %objects, i64 %m)
  br label %error
error:
  ret ptr null
}

define internal ptr @memory_of(ptr %self) #0 {
  %at = getelementptr %PyArray, ptr %self, i32 0, i32 1
  %memory = load ptr, ptr %at
  ret ptr %memory
}

define ptr @wg_launch(ptr %self, ptr %args, i64 %n.args) #1 {
  %launch = call ptr @memory_of(ptr %self)
  %result = call ptr @attempt(ptr %launch, ptr %args, i64 %n.args, ptr null)
  ret ptr %result
}

; The launches in turn, until one fits and its guards hold; `otherwise` gets the call if none does.
define ptr @wg_dispatch(ptr %self, ptr %args, i64 %n.args, ptr %keywords) #1 {
entry:
  %dispatch = call ptr @memory_of(ptr %self)
  %n = load i64, ptr %dispatch
  %launches.at = getelementptr %Dispatch, ptr %dispatch, i32 0, i32 1
  %launches = load ptr, ptr %launches.at
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %further ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %try, label %otherwise
try:
  %launch.at = getelementptr ptr, ptr %launches, i64 %k
  %launch = load ptr, ptr %launch.at
  %result = call ptr @attempt(ptr %launch, ptr %args, i64 %n.args, ptr %keywords)
  %is.error = icmp eq ptr %result, null
  br i1 %is.error, label %doubt, label %judge
doubt:
  %doubts.at = getelementptr %Launch, ptr %launch, i32 0, i32 15
  %doubts = load i64, ptr %doubts.at
  %is.doubtful = icmp ne i64 %doubts, 0
  br i1 %is.doubtful, label %forgive, label %failed
failed:
  ret ptr null
forgive:
  %exception = load ptr, ptr @PyExc_Exception
  %is.ordinary = call i32 @PyErr_ExceptionMatches(ptr %exception)
  %is.interrupt = icmp eq i32 %is.ordinary, 0
  br i1 %is.interrupt, label %failed, label %again
again:
  call void @PyErr_Clear()
  br label %further
judge:
  %is.misfit = icmp eq ptr %result, @wg_none
  %type.at = getelementptr %PyObject, ptr %result, i32 0, i32 1
  %type = load ptr, ptr %type.at
  %is.guard = icmp eq ptr %type, @wg_int
  %is.no = or i1 %is.misfit, %is.guard
  br i1 %is.no, label %forget, label %done
forget:
  call void @Py_DecRef(ptr %result)
  br label %further
further:
  %k.next = add nuw nsw i64 %k, 1
  br label %next
done:
  ret ptr %result
otherwise:
  %callable.at = getelementptr %Dispatch, ptr %dispatch, i32 0, i32 2
  %callable = load ptr, ptr %callable.at
  %answer = call ptr @PyObject_Vectorcall(ptr %callable, ptr %args, i64 %n.args, ptr %keywords)
  ret ptr %answer
}

; What the self-test runs: the first number of the first input goes to every output; the guard says whether it is not 0.
define i32 @wg_probe(ptr %inputs, ptr %outputs, ptr %workspace) #1 {
entry:
  %in = load ptr, ptr %inputs
  %x = load double, ptr %in
  store double %x, ptr %workspace
  %y = load double, ptr %workspace
  %truth = fcmp une double %y, 0.0
  %byte = zext i1 %truth to i8
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %next ]
  %at = getelementptr ptr, ptr %outputs, i64 %k
  %out = load ptr, ptr %at
  store double %y, ptr %out
  %k.next = add nuw nsw i64 %k, 1
  %more = icmp ult i64 %k.next, 4
  br i1 %more, label %next, label %guard
guard:
  %last.at = getelementptr ptr, ptr %outputs, i64 4
  %last = load ptr, ptr %last.at
  store i8 %byte, ptr %last
  ret i32 0
}

attributes #0 = { nounwind alwaysinline }
attributes #1 = { nounwind noinline }
