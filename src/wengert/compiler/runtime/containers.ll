; Containers: the arguments of a call taken apart by a list of nodes, and its result put together by another.
;
; A %Node says what stands at one place of a container; nodes follow one another as a reader meets them, each container before its
; parts.  Arguments are looked at only as far as C can: exact types, lengths, keys that are texts or numbers, plain attributes.
; What differs makes the call another one, which takes the long way.

%Node = type { i64, ptr, i64, ptr }              ; kind, type or object, number of parts, names
%Shape = type { i64, ptr, ptr, i64 }             ; arguments by position, nodes of all arguments, names of keywords, their number

; kinds of nodes: 0 leaf, 1 tuple (named ones, too), 2 list, 3 dictionary, 4 object by its attributes, 5 the very object,
; 6 an object that equals this one and is of its type, parts included; of results also 7: a tuple that a callable is given

declare i64 @PyTuple_Size(ptr)
declare ptr @PyTuple_GetItem(ptr, i64)
declare i64 @PyList_Size(ptr)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare i64 @PyDict_Size(ptr)
declare ptr @PyDict_New()
declare i32 @PyDict_SetItem(ptr, ptr, ptr)
declare ptr @PyObject_GetAttr(ptr, ptr)
declare i32 @PyObject_GenericSetAttr(ptr, ptr, ptr)
declare i32 @PyObject_RichCompareBool(ptr, ptr, i32)
declare i32 @PyUnicode_Compare(ptr, ptr)
@wg_new_object = external global i8
@PyTuple_Type = external global i8

define internal i1 @is_of_type(ptr %x, ptr %wanted) #0 {
  %at = getelementptr %PyObject, ptr %x, i32 0, i32 1
  %type = load ptr, ptr %at
  %same = icmp eq ptr %type, %wanted
  ret i1 %same
}

; How many parts a container of this node has, or -1 for a container of another type.
define internal i64 @parts_of(ptr %x, i64 %kind, ptr %type, i64 %n) #1 {
  %same = call i1 @is_of_type(ptr %x, ptr %type)
  br i1 %same, label %count, label %no
count:
  switch i64 %kind, label %object [ i64 1, label %tuple
                                    i64 2, label %list
                                    i64 3, label %dictionary ]
tuple:
  %a = call i64 @PyTuple_Size(ptr %x)
  ret i64 %a
list:
  %b = call i64 @PyList_Size(ptr %x)
  ret i64 %b
dictionary:
  %c = call i64 @PyDict_Size(ptr %x)
  ret i64 %c
object:
  ret i64 %n
no:
  ret i64 -1
}

; Part k of a container, as a reference of our own; null, without an exception, where there is none.
define internal ptr @part_of(ptr %x, i64 %kind, i64 %k, ptr %names) #1 {
entry:
  switch i64 %kind, label %object [ i64 1, label %tuple
                                    i64 2, label %list
                                    i64 3, label %dictionary ]
tuple:
  %a = call ptr @PyTuple_GetItem(ptr %x, i64 %k)
  br label %borrowed
list:
  %b = call ptr @PyList_GetItem(ptr %x, i64 %k)
  br label %borrowed
dictionary:
  %key.at = getelementptr ptr, ptr %names, i64 %k
  %key = load ptr, ptr %key.at
  %c = call ptr @PyDict_GetItemWithError(ptr %x, ptr %key)
  br label %borrowed
borrowed:
  %part = phi ptr [ %a, %tuple ], [ %b, %list ], [ %c, %dictionary ]
  %is.missing = icmp eq ptr %part, null
  br i1 %is.missing, label %none, label %keep
keep:
  call void @Py_IncRef(ptr %part)
  ret ptr %part
object:
  %name.at = getelementptr ptr, ptr %names, i64 %k
  %name = load ptr, ptr %name.at
  %d = call ptr @PyObject_GetAttr(ptr %x, ptr %name)
  %failed = icmp eq ptr %d, null
  br i1 %failed, label %none, label %found
found:
  ret ptr %d
none:
  call void @PyErr_Clear()
  ret ptr null
}

; Takes `x` apart as the node at the cursor says; leaves, as references of our own, go where `next` points.
define internal i1 @unpack(ptr %cursor, ptr %x, ptr %next) #1 {
entry:
  %node = load ptr, ptr %cursor
  %following = getelementptr %Node, ptr %node, i64 1
  store ptr %following, ptr %cursor
  %kind = load i64, ptr %node
  %type.at = getelementptr %Node, ptr %node, i32 0, i32 1
  %type = load ptr, ptr %type.at
  switch i64 %kind, label %container [ i64 0, label %leaf
                                       i64 5, label %very
                                       i64 6, label %equal ]
leaf:
  call void @Py_IncRef(ptr %x)
  %place = load ptr, ptr %next
  store ptr %x, ptr %place
  %next.place = getelementptr ptr, ptr %place, i64 1
  store ptr %next.place, ptr %next
  ret i1 1
very:
  %is.it = icmp eq ptr %x, %type
  ret i1 %is.it
equal:
  %equals = call i1 @is_equal(ptr %x, ptr %type)
  ret i1 %equals
container:
  %n.at = getelementptr %Node, ptr %node, i32 0, i32 2
  %n = load i64, ptr %n.at
  %names.at = getelementptr %Node, ptr %node, i32 0, i32 3
  %names = load ptr, ptr %names.at
  %parts = call i64 @parts_of(ptr %x, i64 %kind, ptr %type, i64 %n)
  %right.number = icmp eq i64 %parts, %n
  br i1 %right.number, label %each, label %no
each:
  %k = phi i64 [ 0, %container ], [ %k.next, %fits ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %get, label %yes
get:
  %part = call ptr @part_of(ptr %x, i64 %kind, i64 %k, ptr %names)
  %is.missing = icmp eq ptr %part, null
  br i1 %is.missing, label %no, label %inside
inside:
  %good = call i1 @unpack(ptr %cursor, ptr %part, ptr %next)
  call void @Py_DecRef(ptr %part)
  br i1 %good, label %fits, label %no
fits:
  %k.next = add nuw nsw i64 %k, 1
  br label %each
yes:
  ret i1 1
no:
  ret i1 0
}

; Equal to `wanted` and of its type, and so are the parts of tuples: (1,) == (True,) holds in Python and not here.
define internal i1 @is_equal(ptr %x, ptr %wanted) #1 {
  %is.it = icmp eq ptr %x, %wanted
  br i1 %is.it, label %yes, label %type
type:
  %at = getelementptr %PyObject, ptr %wanted, i32 0, i32 1
  %wanted.type = load ptr, ptr %at
  %same = call i1 @is_of_type(ptr %x, ptr %wanted.type)
  br i1 %same, label %which, label %no
which:
  %is.tuple = icmp eq ptr %wanted.type, @PyTuple_Type
  br i1 %is.tuple, label %count, label %compare
compare:
  %answer = call i32 @PyObject_RichCompareBool(ptr %x, ptr %wanted, i32 2)
  %equals = icmp eq i32 %answer, 1
  br i1 %equals, label %yes, label %clear
clear:
  call void @PyErr_Clear()
  br label %no
count:
  %n = call i64 @PyTuple_Size(ptr %x)
  %n.wanted = call i64 @PyTuple_Size(ptr %wanted)
  %as.long = icmp eq i64 %n, %n.wanted
  br i1 %as.long, label %each, label %no
each:
  %k = phi i64 [ 0, %count ], [ %k.next, %alike ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %part, label %yes
part:
  %part.x = call ptr @PyTuple_GetItem(ptr %x, i64 %k)
  %part.wanted = call ptr @PyTuple_GetItem(ptr %wanted, i64 %k)
  %part.equals = call i1 @is_equal(ptr %part.x, ptr %part.wanted)
  br i1 %part.equals, label %alike, label %no
alike:
  %k.next = add nuw nsw i64 %k, 1
  br label %each
yes:
  ret i1 1
no:
  ret i1 0
}

; The keyword argument of a name, borrowed; null where there is none.
define internal ptr @keyword(ptr %name, ptr %values, ptr %given, i64 %n) #1 {
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %k.next, %other ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %look, label %none
look:
  %there = call ptr @PyTuple_GetItem(ptr %given, i64 %k)
  %is.it = icmp eq ptr %there, %name
  br i1 %is.it, label %found, label %spell
spell:
  %order = call i32 @PyUnicode_Compare(ptr %there, ptr %name)
  %is.spelt = icmp eq i32 %order, 0
  br i1 %is.spelt, label %found, label %other
other:
  %k.next = add nuw nsw i64 %k, 1
  br label %next
found:
  %at = getelementptr ptr, ptr %values, i64 %k
  %value = load ptr, ptr %at
  ret ptr %value
none:
  ret ptr null
}

; All leaves of a call: positional arguments, then keywords in the order of the nodes.
define internal i1 @unpack_call(ptr %shape, ptr %args, i64 %n.args, ptr %given, ptr %next) #1 {
entry:
  %n.at = getelementptr %Shape, ptr %shape, i32 0, i32 0
  %n = load i64, ptr %n.at
  %nodes.at = getelementptr %Shape, ptr %shape, i32 0, i32 1
  %nodes = load ptr, ptr %nodes.at
  %names.at = getelementptr %Shape, ptr %shape, i32 0, i32 2
  %names = load ptr, ptr %names.at
  %m.at = getelementptr %Shape, ptr %shape, i32 0, i32 3
  %m = load i64, ptr %m.at
  %cursor = alloca ptr
  store ptr %nodes, ptr %cursor
  %right.number = icmp eq i64 %n, %n.args
  br i1 %right.number, label %count, label %no
count:
  %is.plain = icmp eq ptr %given, null
  br i1 %is.plain, label %counted, label %size
size:
  %size.given = call i64 @PyTuple_Size(ptr %given)
  br label %counted
counted:
  %n.given = phi i64 [ 0, %count ], [ %size.given, %size ]
  %right.keywords = icmp eq i64 %n.given, %m
  %values = getelementptr ptr, ptr %args, i64 %n.args
  %total = add i64 %n, %m
  br i1 %right.keywords, label %each, label %no
each:
  %k = phi i64 [ 0, %counted ], [ %k.next, %fits ]
  %more = icmp slt i64 %k, %total
  br i1 %more, label %which, label %yes
which:
  %is.positional = icmp slt i64 %k, %n
  br i1 %is.positional, label %position, label %named
position:
  %at = getelementptr ptr, ptr %args, i64 %k
  %positional = load ptr, ptr %at
  br label %take
named:
  %number = sub i64 %k, %n
  %name.at = getelementptr ptr, ptr %names, i64 %number
  %name = load ptr, ptr %name.at
  %found = call ptr @keyword(ptr %name, ptr %values, ptr %given, i64 %n.given)
  %is.missing = icmp eq ptr %found, null
  br i1 %is.missing, label %no, label %take
take:
  %x = phi ptr [ %positional, %position ], [ %found, %named ]
  %good = call i1 @unpack(ptr %cursor, ptr %x, ptr %next)
  br i1 %good, label %fits, label %no
fits:
  %k.next = add nuw nsw i64 %k, 1
  br label %each
yes:
  ret i1 1
no:
  ret i1 0
}

; --- results ------------------------------------------------------------------------------------------------------

; The result that the node at the cursor says; leaf n is taken out of the objects.  Null with an exception.
define internal ptr @build(ptr %cursor, ptr %objects) #1 {
entry:
  %node = load ptr, ptr %cursor
  %following = getelementptr %Node, ptr %node, i64 1
  store ptr %following, ptr %cursor
  %kind = load i64, ptr %node
  %type.at = getelementptr %Node, ptr %node, i32 0, i32 1
  %type = load ptr, ptr %type.at
  %n.at = getelementptr %Node, ptr %node, i32 0, i32 2
  %n = load i64, ptr %n.at
  %names.at = getelementptr %Node, ptr %node, i32 0, i32 3
  %names = load ptr, ptr %names.at
  switch i64 %kind, label %tuple [ i64 0, label %leaf
                                   i64 2, label %list
                                   i64 3, label %dictionary
                                   i64 4, label %object
                                   i64 5, label %very ]
leaf:
  %place = getelementptr ptr, ptr %objects, i64 %n
  %x = load ptr, ptr %place
  store ptr null, ptr %place
  ret ptr %x
very:
  call void @Py_IncRef(ptr %type)
  ret ptr %type
tuple:
  %new.tuple = call ptr @PyTuple_New(i64 %n)
  br label %made
list:
  %new.list = call ptr @PyList_New(i64 %n)
  br label %made
dictionary:
  %new.dictionary = call ptr @PyDict_New()
  br label %made
object:
  %new.object = call ptr (ptr, ...) @PyObject_CallFunctionObjArgs(ptr @wg_new_object, ptr %type, ptr null)
  br label %made
made:
  %new = phi ptr [ %new.tuple, %tuple ], [ %new.list, %list ], [ %new.dictionary, %dictionary ], [ %new.object, %object ]
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %no, label %each
each:
  %k = phi i64 [ 0, %made ], [ %k.next, %stored ]
  %more = icmp slt i64 %k, %n
  br i1 %more, label %part, label %done
part:
  %value = call ptr @build(ptr %cursor, ptr %objects)
  %is.missing = icmp eq ptr %value, null
  br i1 %is.missing, label %drop, label %store
store:
  %status = call i32 @put(ptr %new, i64 %kind, i64 %k, ptr %names, ptr %value)
  %is.bad = icmp ne i32 %status, 0
  br i1 %is.bad, label %drop, label %stored
stored:
  %k.next = add nuw nsw i64 %k, 1
  br label %each
done:
  %is.called = icmp eq i64 %kind, 7
  br i1 %is.called, label %call, label %return
return:
  ret ptr %new
call:
  %wrapped = call ptr (ptr, ...) @PyObject_CallFunctionObjArgs(ptr %type, ptr %new, ptr null)
  call void @Py_DecRef(ptr %new)
  ret ptr %wrapped
drop:
  call void @Py_DecRef(ptr %new)
  br label %no
no:
  ret ptr null
}

; Part k of a new container, which takes the reference over.
define internal i32 @put(ptr %new, i64 %kind, i64 %k, ptr %names, ptr %value) #1 {
entry:
  switch i64 %kind, label %tuple [ i64 2, label %list
                                   i64 3, label %dictionary
                                   i64 4, label %object ]
tuple:
  %a = call i32 @PyTuple_SetItem(ptr %new, i64 %k, ptr %value)
  ret i32 %a
list:
  %b = call i32 @PyList_SetItem(ptr %new, i64 %k, ptr %value)
  ret i32 %b
dictionary:
  %key.at = getelementptr ptr, ptr %names, i64 %k
  %key = load ptr, ptr %key.at
  %c = call i32 @PyDict_SetItem(ptr %new, ptr %key, ptr %value)
  br label %counted
object:
  %name.at = getelementptr ptr, ptr %names, i64 %k
  %name = load ptr, ptr %name.at
  %d = call i32 @PyObject_GenericSetAttr(ptr %new, ptr %name, ptr %value)
  br label %counted
counted:
  %status = phi i32 [ %c, %dictionary ], [ %d, %object ]
  call void @Py_DecRef(ptr %value)
  ret i32 %status
}
