"""Products of arrays as one native function: `void @wg_product_f64(ptr spec, ptr left, ptr right, ptr result, ptr base, i64 start, i64 stop)`.

    result[b, i, j] = base[b, i, j] + alpha * sum over p of left[b, i, p] * right[b, p, j]

Each of the letters stands for any number of axes, and each operand has any stride along each of them: transposes, stacks, windows and
sums over stacks are all the same.  Where entries lie is written into tables, one for each letter and operand (D. Matthews, High-performance
tensor contraction without transposition, SIAM J. Sci. Comput. 40 (2018)); factors are laid out in the order in which tiles read them.

`spec` is what `write_spec` writes.  The order of additions depends on the length of the sum alone, so that the bits are the same however
rows and columns are shared among threads.
"""

from __future__ import annotations

from wengert.compiler.emit.context import (
    AXIS,
    CONTEXT,
    FIELDS,
    KEPT,
    RANGES,
    SHARED,
    STRONG,
    SYMMETRIC,
    TRIANGLES,
    Numbers,
)
from wengert.compiler.emit.packing import (
    SLACK,
    write_is_even,
    write_is_run,
    write_is_run_or,
    write_pack,
    write_pack_turned,
    write_table,
)
from wengert.compiler.emit.strong import write_has_nan, write_is_wild, write_repair, write_strong_sum
from wengert.compiler.emit.text import Text
from wengert.compiler.emit.tiles import AHEAD, Shape, write_tiles
from wengert.compiler.emit.triangles import has, is_beyond, look_where_asked, places, write_clear, write_look_at_other

SUMMED = 256  # places of the sum that are taken together
BLOCK = 2**20  # bytes of the right factor that stay in the cache
RARE = 4  # tiles up to which columns of the left factor are read where they lie
THIN, WIDE = 2, 8  # panels of columns up to which other left factors are read by tables: in order along the sum, and others
NEAR = 512  # bytes between neighbours along the sum up to which that is also better than laying out rows that follow one another
PAGE, LINE = 4096, 64  # bytes after which lines share their places in the nearest cache, and of a line
LEAST = 2**19  # multiplications from which on threads pay


def write_lay_out(shape: Shape) -> str:
    """Panels of columns of the right factor, all of the sum: `void @lay_out(context, to, b, first, past)`, which count panels."""
    text = Text(f"internal void @lay_out.{shape.suffix}(ptr %context, ptr noalias %to, ptr noalias %b, i64 %first, i64 %past) #0")
    context = Numbers(text, "%context", CONTEXT)
    k, n, step, panels = (context.get(name) for name in ("k", "n", "step", "panels"))
    columns, inner = context.get("column_right", "ptr"), context.get("inner_right", "ptr")
    is_row = text.test("ne", context.get("right_runs"), 0)
    with text.loop(0, text.parts(k, step)) as block:
        begin = text.mul(block, step)
        depth = text.smaller(step, text.sub(k, begin))
        start = text.at("%to", text.mul(text.mul(begin, panels), shape.width), shape.kind)
        with text.loop("%first", "%past") as panel:
            j = text.mul(panel, shape.width)
            width = text.smaller(text.sub(n, j), shape.width)
            far = text.choose(text.test("sle", width, shape.lanes), str(shape.lanes), str(shape.width))
            target = text.at(start, text.mul(text.mul(panel, shape.width), depth), shape.kind)
            text.do(f"call void @pack.{shape.suffix}(ptr {target}, i64 {far}, ptr %b, ptr {text.at(columns, j)}, i64 {j}, i64 {width}, i64 {width}, ptr {text.at(inner, begin)}, i64 {depth}, i1 {is_row})")
    return text.finished()


def write_multiply(shape: Shape) -> str:
    """Rows and panels of columns of one member: `void @multiply(context, a, b, c, d, right, left, i0, i1, first, past)`.

    `right` is where the right factor has been laid out, and `left` memory for a panel of the left one.
    """
    text = Text(
        f"internal void @multiply.{shape.suffix}(ptr %context, ptr noalias %a, ptr noalias %b, ptr %c, ptr %d, ptr %right, ptr noalias %left, i64 %i0, i64 %i1, i64 %first, i64 %past) #0"
    )
    context = Numbers(text, "%context", CONTEXT)
    k, step = context.get("k"), context.get("step")
    span = text.sub("%i1", "%i0")
    n_panels, pairs = text.parts(span, shape.rows), text.parts(span, 2)
    together = text.larger(text.div(str(BLOCK), text.mul(step, shape.width * shape.item)), 1)
    with text.loop(0, text.parts(text.sub("%past", "%first"), together)) as group:
        low = text.add("%first", text.mul(group, together))
        high = text.smaller(text.add(low, together), "%past")
        with text.loop(0, text.parts(k, step)) as block:
            begin = text.mul(block, step)
            depth = text.smaller(step, text.sub(k, begin))
            with text.loop(0, n_panels) as panel:
                top, bottom = (text.add("%i0", text.mul(text.div(text.mul(text.add(panel, q), pairs), n_panels), 2)) for q in (0, 1))
                bottom = text.smaller(bottom, "%i1")
                where, far, apart, walks = left_panel(text, shape, context, top, bottom, begin, depth, text.sub(high, low))
                text.do(f"call void @panel.{shape.suffix}(ptr %context, i1 {walks}, ptr {where}, i64 {far}, i64 {apart}, ptr %b, ptr %right, ptr %c, ptr %d, i64 {top}, i64 {bottom}, i64 {begin}, i64 {depth}, i64 {low}, i64 {high})")
    return text.finished()


def left_panel(text: Text, shape: Shape, context: Numbers, top: str, bottom: str, begin: str, depth: str, uses: str) -> list[str]:
    """Where a panel of rows begins, how far apart its rows and places of the sum are, and whether tables say that instead.

    It is read where it lies if a row's numbers follow one another, or a column's, and rows don't begin a page apart, as then their lines
    would drive one another from the cache; and by tables, as windows are, where few tiles use it.  Else it is laid out.
    """
    rows, inner = text.at(context.get("row_left", "ptr"), top), text.at(context.get("inner_left", "ptr"), begin)
    is_row = text.test("ne", context.get("left_runs"), 0)
    height = text.sub(bottom, top)
    far, is_even = even(text, rows, height)
    is_even = text.both(is_even, text.test("eq", text.new(f"and i64 {height}, 1"), 0))
    offset = text.new(f"and i64 {text.add(text.mul(far, shape.item), LINE)}, {PAGE - 1}")
    is_good = text.both(text.both(is_row, is_even), text.test("sgt", offset, 2 * LINE))
    apart = text.load(context.pointer, CONTEXT.index("left_apart"))
    is_column = text.both(text.both(text.both(text.test("eq", far, 1), is_even), text.test("ne", apart, 0)), text.test("sle", uses, RARE))
    is_there = text.new(f"or i1 {is_good}, {is_column}")
    in_order = text.new(f"zext i1 {text.new(f'call i1 @is_run(ptr {rows}, i64 {height})')} to i64")
    walks = text.both(text.test("sgt", context.get("walks"), in_order), text.new(f"xor i1 {is_there}, true"))
    with text.when(text.new(f"xor i1 {text.new(f'or i1 {is_there}, {walks}')}, true")):
        ahead = text.smaller(text.sub(context.get("m"), top), shape.tall)
        text.do(f"call void @pack.{shape.suffix}(ptr %left, i64 {shape.tall}, ptr %a, ptr {rows}, i64 {top}, i64 {ahead}, i64 {height}, ptr {inner}, i64 {depth}, i1 {is_row})")
    there = text.at("%a", text.add(text.load(rows), text.load(inner)), shape.kind)
    where = text.choose(is_there, there, text.choose(walks, "%a", "%left", "ptr"), "ptr")
    return [where, text.choose(is_there, far, "1"), text.choose(is_good, "1", text.choose(is_column, apart, str(shape.tall))), walks]


def write_panel(shape: Shape) -> str:
    """A panel of rows times panels of columns."""
    kind = shape.kind
    text = Text(
        f"internal void @panel.{shape.suffix}(ptr %context, i1 %walks, ptr noalias %left, i64 %left_far, i64 %left_apart, ptr noalias %b, ptr noalias %right, ptr %c, ptr %d, i64 %top, i64 %bottom, i64 %begin, i64 %depth, i64 %low, i64 %high) #0"
    )
    context = Numbers(text, "%context", CONTEXT)
    scratch = text.new(f"alloca [{shape.rows * shape.width} x {kind}], align 64")
    n, k, panels, alpha = context.get("n"), context.get("k"), context.get("panels"), context.get("alpha", kind)
    row_into, column_into = context.get("row_into", "ptr"), context.get("column_into", "ptr")
    column_right, inner_right = context.get("column_right", "ptr"), context.get("inner_right", "ptr")
    height = text.sub("%bottom", "%top")
    rows = text.at(row_into, "%top")
    far, is_even = even(text, rows, height)
    pairs = text.parts(height, 2)
    is_even = text.both(is_even, text.test("eq", text.mul(pairs, 2), height))
    flags, end = context.get("flags"), text.add("%begin", "%depth")
    symmetric = has(text, flags, SYMMETRIC)
    into_runs, direct = text.test("ne", context.get("into_runs"), 0), text.test("ne", context.get("direct"), 0)
    block = text.at("%right", text.mul(text.mul("%begin", panels), shape.width), kind)
    ahead, nothing = what_comes(text, shape, height)
    rows_left, inner_left = text.at(context.get("row_left", "ptr"), "%top"), text.at(context.get("inner_left", "ptr"), "%begin")
    with text.loop("%low", "%high") as panel:
        j = text.mul(panel, shape.width)
        past = text.smaller(text.add(j, shape.width), n)
        below = text.both(symmetric, text.test("sle", past, "%top"))
        below = text.new(f"or i1 {below}, {is_beyond(text, flags, '%top', '%bottom', j, past)}")
        low, high = places(text, flags, k, "%top", "%bottom", j, past)
        start = text.larger(low, "%begin")
        depth, skipped = text.sub(text.smaller(high, end), start), text.sub(start, "%begin")
        before = text.choose(text.test("sle", "%begin", low), "%d", "%c", "ptr")
        bare = text.new(f"icmp eq ptr {before}, null")
        with text.when(text.both(text.test("sgt", depth, 0), text.new(f"xor i1 {below}, true"))):
            width = text.sub(past, j)
            is_narrow = text.test("sle", width, shape.lanes)
            is_full = text.new(f"or i1 {text.test('eq', width, shape.width)}, {text.test('eq', width, shape.lanes)}")
            number = text.add(pairs, text.choose(is_narrow, "-1", str(shape.rows // 2 - 1)))
            packed = text.at(block, text.mul(text.mul(panel, shape.width), "%depth"), kind)
            columns = text.at(column_into, j)
            place = text.add(text.load(rows), text.load(columns))
            is_run = text.new(f"call i1 @is_run_or(i1 {into_runs}, ptr {columns}, i64 {width})")
            plain = text.both(text.both(is_full, is_even), is_run)
            is_direct = text.both(direct, is_full)
            there = text.at("%b", text.add(text.load(inner_right, "%begin"), text.load(column_right, j)), kind)
            apart = text.sub(text.load(inner_right, text.smaller(text.add("%begin", 1), text.sub(k, 1))), text.load(inner_right, "%begin"))
            width_now = text.choose(is_narrow, str(shape.lanes), str(shape.width))
            right_far = text.choose(is_direct, apart, width_now)
            right = text.at(text.choose(is_direct, there, packed, "ptr"), text.mul(skipped, right_far), kind)
            left = text.at("%left", text.mul(skipped, "%left_apart"), kind)
            target = text.choose(plain, text.at("%c", place, kind), scratch, "ptr")
            factor = text.choose(plain, alpha, "1.0", kind)
            target_far = text.choose(plain, far, str(shape.width))
            base = text.choose(text.new(f"or i1 {bare}, {text.new(f'xor i1 {plain}, true')}"), "null", text.at(before, place, kind), "ptr")
            rest = f"ptr {right}, i64 {right_far}, i64 {depth}, ptr {target}, i64 {target_far}, ptr {base}, {kind} {factor}"
            fetched = text.choose(text.test("eq", panel, "%low"), ahead, nothing, "ptr")
            run_tile(text, shape, number, left, (rows_left, text.sub(height, 1), text.at(inner_left, skipped)), rest, fetched)
            with text.when(text.new(f"xor i1 {plain}, true")):
                text.do(f"call void @scatter.{shape.suffix}(ptr {scratch}, ptr %c, ptr {before}, ptr {rows}, i64 {height}, ptr {columns}, i64 {width}, {kind} {alpha})")
    return text.finished()


def run_tile(text: Text, shape: Shape, number: str, left: str, tables: tuple[str, str, str], rest: str, fetched: str) -> None:
    """The tile of some size, on a left factor of which tables say where it lies, or on another one."""
    rows, last, inner = tables
    with text.when("%walks"):
        walk = text.load(f"@walks.{shape.suffix}", number, "ptr")
        text.do(f"call void {walk}(ptr %left, ptr {rows}, i64 {last}, ptr {inner}, {rest})")
    with text.when(text.new("xor i1 %walks, true")):
        tile = text.load(f"@tiles.{shape.suffix}", number, "ptr")
        text.do(f"call void {tile}(ptr {left}, i64 %left_far, i64 %left_apart, {rest}, ptr {fetched})")


def what_comes(text: Text, shape: Shape, height: str) -> tuple[str, str]:
    """What tiles fetch ahead: the next panel of the left factor, row by row or place by place; and nothing new."""
    is_row = text.test("eq", "%left_apart", 1)
    ahead, nothing = (Numbers(text, text.new(f"alloca [{len(AHEAD)} x i64]"), AHEAD) for _ in range(2))
    next_panel = text.at("%left", text.choose(is_row, text.mul(height, "%left_far"), text.add(height, LINE // shape.item)), shape.kind)
    lines = text.parts(text.mul("%depth", shape.item), LINE)
    apart = text.mul("%left_apart", shape.item)
    jump = text.sub(text.mul("%left_far", shape.item), text.mul(text.sub(lines, 1), LINE))
    for table, first, step in ((ahead, next_panel, text.choose(is_row, str(LINE), apart)), (nothing, "%left", "0")):
        table.set("first", first, "ptr")
        table.set("step", step)
        table.set("jump", text.choose(is_row, jump, apart) if table is ahead else "0")
        table.set("often", lines)
    return ahead.pointer, nothing.pointer


def even(text: Text, table: str, n: str) -> tuple[str, str]:
    """How far apart the places of a table are, and whether all are."""
    second = text.smaller("1", text.sub(n, 1))
    far = text.sub(text.load(table, second), text.load(table))
    return far, text.new(f"call i1 @is_even(ptr {table}, i64 {n}, i64 {far})")


def write_scatter(shape: Shape) -> str:
    """A tile goes from its scratch to its places, onto what is there."""
    kind = shape.kind
    text = Text(f"internal void @scatter.{shape.suffix}(ptr noalias %tile, ptr %c, ptr %d, ptr noalias %rows, i64 %height, ptr noalias %columns, i64 %width, {kind} %alpha) #0")
    bare = text.new("icmp eq ptr %d, null")
    for is_bare in (True, False):
        condition = bare if is_bare else text.new(f"xor i1 {bare}, true")
        with text.when(condition), text.loop(0, "%height") as i:
            row, source = text.load("%rows", i), text.at("%tile", text.mul(i, shape.width), kind)
            with text.loop(0, "%width") as j:
                place, value = text.add(row, text.load("%columns", j)), text.load(source, j, kind)
                if is_bare:
                    value = text.new(f"fmul {kind} %alpha, {value}")
                else:
                    before = text.load("%d", place, kind)
                    value = text.new(f"call {kind} @llvm.fmuladd.{shape.suffix}({kind} %alpha, {kind} {value}, {kind} {before})")
                text.store(value, "%c", place, kind)
    return text.finished()


# --- sharing ----------------------------------------------------------------------------------------------------------


def member_of(text: Text, context: Numbers, shape: Shape, member: str) -> list[str]:
    """Where the operands of a member of a stack begin: left, right, result, and base or null."""
    found = []
    for name, table in (("left", "batch_left"), ("right", "batch_right"), ("result", "batch_into"), ("base", "batch_into")):
        found.append(text.at(context.get(name, "ptr"), text.load(context.get(table, "ptr"), member), shape.kind))
    bare = text.new(f"icmp eq ptr {context.get('base', 'ptr')}, null")
    return [*found[:3], text.choose(bare, "null", found[3], "ptr")]


def write_lay_out_task(shape: Shape) -> str:
    """Some of the panels of all members: `void @lay_out_task(context, begin, end)`."""
    text = Text(f"internal void @lay_out_task.{shape.suffix}(ptr %context, i64 %begin, i64 %end) #0")
    context = Numbers(text, "%context", CONTEXT)
    panels = context.get("panels")
    size = text.mul(text.mul(panels, shape.width), context.get("k"))
    with text.loop("%begin", "%end") as t:
        member, panel = text.div(t, panels), text.rest(t, panels)
        _, b, _, _ = member_of(text, context, shape, member)
        to = text.at(context.get("packed", "ptr"), text.mul(member, size), shape.kind)
        text.do(f"call void @lay_out.{shape.suffix}(ptr %context, ptr {to}, ptr {b}, i64 {panel}, i64 {text.add(panel, 1)})")
    return text.finished()


def write_task(shape: Shape) -> str:
    """Some parts of the result: `void @task(context, begin, end)`."""
    text = Text(f"internal void @task.{shape.suffix}(ptr %context, i64 %begin, i64 %end) #0")
    context = Numbers(text, "%context", CONTEXT)
    names = ("row_tasks", "column_tasks", "m", "n", "k", "panels", "flags")
    row_tasks, column_tasks, m, n, k, panels, flags = (context.get(name) for name in names)
    packed = context.get("packed", "ptr")
    is_own = text.new(f"icmp eq ptr {packed}, null")
    size = text.mul(text.mul(panels, shape.width), k)
    direct, ragged = context.get("direct"), context.get("ragged")
    is_needed = text.both(is_own, text.test("eq", text.mul(direct, text.sub("1", ragged)), 0))
    left_size = text.mul(context.get("step"), shape.tall * shape.item)
    memory = text.new(f"call ptr @wg_take(i64 {text.add(left_size, text.choose(is_needed, text.mul(size, shape.item), '0'))})")
    with text.loop("%begin", "%end") as t:
        column, rest = text.rest(t, column_tasks), text.div(t, column_tasks)
        row, member = text.rest(rest, row_tasks), text.div(rest, row_tasks)
        i0, i1 = (text.div(text.mul(text.add(row, q), m), row_tasks) for q in (0, 1))
        first, past = (text.div(text.mul(text.add(column, q), panels), column_tasks) for q in (0, 1))
        a, b, c, d = member_of(text, context, shape, member)
        own = text.at(memory, left_size, "i8")
        right = text.choose(is_own, own, text.at(packed, text.mul(member, size), shape.kind), "ptr")
        with text.when(is_own):
            skipped = text.mul(direct, text.sub(panels, ragged))
            text.do(f"call void @lay_out.{shape.suffix}(ptr %context, ptr {own}, ptr {b}, i64 {skipped}, i64 {panels})")
        text.do(f"call void @multiply.{shape.suffix}(ptr %context, ptr {a}, ptr {b}, ptr {c}, ptr {d}, ptr {right}, ptr {memory}, i64 {i0}, i64 {i1}, i64 {first}, i64 {past})")
        j0, j1 = text.mul(first, shape.width), text.smaller(text.mul(past, shape.width), n)
        with text.when(has(text, flags, sum(KEPT.values()))):
            text.do(f"call void @clear.{shape.suffix}(ptr %context, ptr {c}, i64 {i0}, i64 {i1}, i64 {j0}, i64 {j1})")
        with text.when(has(text, flags, STRONG)):
            text.do(f"call void @repair.{shape.suffix}(ptr %context, ptr {a}, ptr {b}, ptr {c}, ptr {d}, i64 {i0}, i64 {i1}, i64 {j0}, i64 {j1})")
    text.do(f"call void @wg_give(ptr {memory})")
    return text.finished()


def write_mirror(shape: Shape) -> str:
    """What is below the diagonal is what is above it: `void @mirror(context)`."""
    text = Text(f"internal void @mirror.{shape.suffix}(ptr %context) #0")
    context = Numbers(text, "%context", CONTEXT)
    rows, columns = context.get("row_into", "ptr"), context.get("column_into", "ptr")
    with text.loop(0, context.get("members")) as member:
        _, _, c, _ = member_of(text, context, shape, member)
        with text.loop(0, context.get("m")) as i, text.loop(0, i) as j:
            place = text.add(text.load(rows, i), text.load(columns, j))
            other = text.add(text.load(rows, j), text.load(columns, i))
            text.store(text.load(c, other, shape.kind), c, place, shape.kind)
    return text.finished()


def write_product(shape: Shape) -> str:
    """The function that programs call."""
    text = Text(
        f"void @wg_product_{shape.suffix}(ptr noalias %spec, ptr %left, ptr %right, ptr %result, ptr %base, i64 %start, i64 %stop) #0"
    )
    spec = Numbers(text, "%spec", FIELDS)
    memory = text.new(f"alloca [{len(CONTEXT)} x i64], align 64")
    context = Numbers(text, memory, CONTEXT)
    tables = write_tables(text, spec, context)
    write_operands(text, shape, spec, context)
    write_facts(text, shape, context)
    look_where_asked(text, shape, context)
    threads = write_division(text, shape, context)
    packed = write_packing(text, shape, context)
    write_run(text, shape, context, threads)
    with text.when(text.new(f"icmp ne ptr {packed}, null")):
        text.do(f"call void @wg_give(ptr {packed})")
    text.do(f"call void @wg_give(ptr {tables})")
    return text.finished()


def write_operands(text: Text, shape: Shape, spec: Numbers, context: Numbers) -> None:
    """Where the operands begin, and what is to be done with them."""
    for name, field in (("left", "left"), ("right", "right"), ("result", "into")):
        context.set(name, text.at(f"%{name}", spec.get(field), shape.kind), "ptr")
    bare = text.new("icmp eq ptr %base, null")
    context.set("base", text.choose(bare, "null", text.at("%base", spec.get("base"), shape.kind), "ptr"), "ptr")
    alpha = spec.get("alpha", "double")
    if shape.kind == "float":
        alpha = text.new(f"fptrunc double {alpha} to float")
    context.set("alpha", alpha, shape.kind)
    context.set("flags", spec.get("flags"))


def write_tables(text: Text, spec: Numbers, context: Numbers) -> str:
    """The lengths of this call, and where its entries lie; the memory of the tables."""
    axes = text.at("%spec", len(FIELDS))
    lengths, groups = {}, {}
    for letter, word in (("members", "batch"), ("m", "row"), ("k", "inner"), ("n", "column")):
        count, length = spec.get(f"{word}_axes"), text.load(axes)
        ranged = text.test("eq", spec.get("range"), RANGES.get(letter, -1))
        low, high = text.choose(ranged, "%start", "0"), text.choose(ranged, "%stop", length)
        whole = spec.get(letter)
        part = text.div(text.mul(whole, text.sub(high, low)), text.larger(length, 1))
        lengths[word] = text.choose(ranged, part, whole)
        groups[word] = (axes, count, low, high)
        context.set(letter, lengths[word])
        axes = text.at(axes, text.mul(count, AXIS))
    wanted = [(word, operand) for word, operands in TABLES.items() for operand in operands]
    total = "0"
    for word, _ in wanted:
        total = text.add(total, lengths[word])
    memory = text.new(f"call ptr @wg_take(i64 {text.mul(text.add(total, SLACK), 8)})")
    place = memory
    for word, operand in wanted:
        axes, count, low, high = groups[word]
        which = ("left", "right", "into").index(operand) + 1
        text.do(f"call void @table(ptr {place}, ptr {axes}, i64 {count}, i64 {which}, i64 {low}, i64 {high})")
        context.set(f"{word}_{operand}", place, "ptr")
        place = text.at(place, lengths[word])
    return memory


TABLES = {"batch": ("left", "right", "into"), "row": ("left", "into"), "inner": ("left", "right"), "column": ("right", "into")}


def write_facts(text: Text, shape: Shape, context: Numbers) -> None:
    """Which places follow one another, and how the sum is cut."""
    m, k, n = (context.get(name) for name in "mkn")
    blocks = text.parts(k, SUMMED)
    step = text.mul(text.parts(text.parts(k, blocks), 8), 8)
    context.set("step", step)
    panels = text.parts(n, shape.width)
    context.set("panels", panels)
    rest = text.rest(n, shape.width)
    ragged = text.both(text.test("ne", rest, 0), text.test("ne", rest, shape.lanes))
    context.set("ragged", text.new(f"zext i1 {ragged} to i64"))
    runs = {}
    for name, table, length in (
        ("left_runs", "inner_left", k), ("right_runs", "inner_right", k), ("into_runs", "column_into", n), ("", "column_right", n),
    ):  # fmt: skip
        runs[name] = text.new(f"call i1 @is_run(ptr {context.get(table, 'ptr')}, i64 {length})")
        if name:
            context.set(name, text.new(f"zext i1 {runs[name]} to i64"))
    apart, is_column = even(text, context.get("inner_left", "ptr"), k)
    context.set("left_apart", text.choose(is_column, apart, "0"))
    _, is_even = even(text, context.get("inner_right", "ptr"), k)
    direct = text.both(text.both(runs[""], is_even), text.test("sle", m, FEW * shape.rows))
    context.set("direct", text.new(f"zext i1 {direct} to i64"))
    most = text.choose(text.test("ne", context.get("left_runs"), 0), str(THIN), str(WIDE))
    is_near = text.both(text.test("sle", apart, NEAR // shape.item), text.test("sge", apart, -NEAR // shape.item))
    context.set("walks", text.choose(text.test("sle", panels, most), text.choose(is_near, "2", "1"), "0"))


def write_division(text: Text, shape: Shape, context: Numbers) -> str:
    """How many parts the result has; the number of threads.

    Four for each thread, so that none waits long for another, cut where the right factor is laid out once for all.  A right factor that is
    read where it lies is read by each part of the rows anew: one part for each thread, and of the columns, unless they are few.
    """
    members, m, k, n, panels = (context.get(name) for name in ("members", "m", "k", "n", "panels"))
    work = text.mul(text.mul(members, m), text.mul(k, n))
    flags = context.get("flags")
    shared = has(text, flags, SHARED)
    helps = text.both(shared, text.test("sge", work, LEAST))
    threads = text.choose(helps, text.load("@wg_threads"), "1")
    direct = text.test("ne", context.get("direct"), 0)
    most = text.mul(threads, text.choose(direct, "1", "4"))
    wanted = text.choose(text.test("eq", threads, 1), "1", text.smaller(most, text.parts(work, LEAST // 8)))
    each = text.parts(wanted, members)
    whole = has(text, flags, TRIANGLES["left lower"] | TRIANGLES["left upper"])  # so that panels, and their sums, begin where they always do
    rows_most = text.choose(whole, "1", text.larger(text.div(m, 2 * shape.rows), 1))
    by_rows = text.smaller(each, rows_most)
    columns_rest = text.smaller(text.parts(each, by_rows), panels)
    by_columns = text.smaller(each, text.larger(text.div(panels, 2), 1))
    rows_rest = text.smaller(text.parts(each, by_columns), rows_most)
    is_wide = text.test("sge", text.mul(n, text.choose(direct, "4", "1")), text.mul(m, 4))
    context.set("row_tasks", text.choose(is_wide, rows_rest, by_rows))
    context.set("column_tasks", text.choose(is_wide, by_columns, columns_rest))
    return threads


def write_packing(text: Text, shape: Shape, context: Numbers) -> str:
    """The right factor is laid out once where several parts read the same; its memory, or null."""
    tasks = text.mul(context.get("row_tasks"), context.get("column_tasks"))
    slot = text.new("alloca ptr")
    text.store("null", slot, 0, "ptr")
    context.set("packed", "null", "ptr")
    panels, members = context.get("panels"), context.get("members")
    is_shared = text.both(text.test("sgt", tasks, 1), text.test("eq", context.get("direct"), 0))
    with text.when(is_shared):
        size = text.mul(text.mul(text.mul(panels, shape.width * shape.item), context.get("k")), members)
        memory = text.new(f"call ptr @wg_take(i64 {size})")
        text.store(memory, slot, 0, "ptr")
        context.set("packed", memory, "ptr")
        text.do(f"call void @wg_parallel(ptr @lay_out_task.{shape.suffix}, ptr {context.pointer}, i64 {text.mul(panels, members)}, i64 1)")
    return text.load(slot, 0, "ptr")


def write_run(text: Text, shape: Shape, context: Numbers, threads: str) -> None:
    """All parts, on as many threads as may help."""
    tasks = text.mul(text.mul(context.get("row_tasks"), context.get("column_tasks")), context.get("members"))
    alone = text.test("eq", threads, 1)
    with text.when(alone):
        text.do(f"call void @task.{shape.suffix}(ptr {context.pointer}, i64 0, i64 {tasks})")
    with text.when(text.new(f"xor i1 {alone}, true")):
        text.do(f"call void @wg_parallel(ptr @task.{shape.suffix}, ptr {context.pointer}, i64 {tasks}, i64 1)")
    with text.when(has(text, context.get("flags"), SYMMETRIC)):
        text.do(f"call void @mirror.{shape.suffix}(ptr {context.pointer})")


FEW = 12  # panels of rows up to which the right factor is read where it lies


def write_products(dtype: str, bits: int) -> str:
    """The function for a dtype, and all that it calls but threads and memory."""
    shape = Shape(dtype, max(bits, 128))
    writers = (
        write_pack, write_pack_turned, write_lay_out, write_multiply, write_panel, write_scatter, write_repair,
        write_has_nan, write_is_wild, write_strong_sum, write_clear, write_look_at_other, write_lay_out_task, write_task, write_mirror, write_product,
    )  # fmt: skip
    return "\n".join([
        write_table(), write_is_run(), write_is_even(), write_is_run_or(),
        "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)", "declare i64 @llvm.smin.i64(i64, i64)", "declare i64 @llvm.smax.i64(i64, i64)",
        f"declare {shape.kind} @llvm.fmuladd.{shape.suffix}({', '.join([shape.kind] * 3)})",
        write_tiles(shape), *[write(shape) for write in writers],
    ])  # fmt: skip
