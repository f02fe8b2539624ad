// The Jacobian: what a pass gives of it, its numbers where it is small, and its sparsity pattern.

class Jacobian {
  constructor(app) {
    this.app = app;
    this.pattern = app.data.pattern;
    this.describe();
    find("#pattern").addEventListener("pointermove", (event) => this.point(event));
  }

  // Why one walk costs n passes and the other m.
  counter(mode, pass) {
    const { n, m, jacobian } = this.app.data;
    const passes = (k) => `${k.toLocaleString("en")} pass${k === 1 ? "" : "es"}`;
    const cheaper = n < m ? "forward" : m < n ? "reverse" : "either way alike";
    const whole = `The whole Jacobian is ${m.toLocaleString("en")} × ${n.toLocaleString("en")}: forward ${passes(n)} (a column each), reverse ${passes(m)} (a row each).`;
    const found = this.app.data[mode][pass];
    const [what, size, letter] = mode === "forward" ? ["columns", n, "n"] : ["rows", m, "m"];
    const here = found && found.isSum ? `a sum of ${what}, of ${letter} = ${size.toLocaleString("en")}` : `pass ${pass + 1} of ${letter} = ${size.toLocaleString("en")}`;
    find("#counter").replaceChildren(
      make("strong", {}, `${mode}: ${here}`),
      make("span", { class: "stats" }, whole, ` Cheaper here: ${cheaper}.`),
      jacobian ? this.table(jacobian, mode, pass) : "",
    );
  }

  table({ rows, columns, entries }, mode, pass) {
    const head = make("tr", {}, make("th", {}), ...columns.map((name) => make("th", { scope: "col" }, `∂/∂${name}`)));
    const body = rows.map((name, i) => make("tr", {}, make("th", { scope: "row" }, name),
      ...entries[i].map((text, j) => make("td", { class: (mode === "forward" ? j : i) === pass ? "given" : "" }, text))));
    return make("table", { class: "small-jacobian", "aria-label": "Jacobian; marked is what this pass gives" }, head, ...body);
  }

  describe() {
    const { pattern } = this;
    const { jacobian } = this.app.data;
    find("#jacobian-table").replaceChildren(jacobian ? this.table(jacobian, "", -1) : "Too large for a table of numbers: its pattern says where they can be.");
    const words = find("#pattern-words");
    if (pattern.why) {
      words.textContent = `No pattern here: ${pattern.why}`;
      find("#pattern").hidden = true;
      return;
    }
    const spans = (list) => list.slice(0, 12).map(([name, a, b]) => (b - a > 1 ? `${name} (${b - a})` : name)).join(", ") + (list.length > 12 ? " …" : "");
    find("#pattern-columns").textContent = spans(pattern.columns);
    find("#pattern-rows").textContent = spans(pattern.rows);
    const [m, n] = pattern.shape;
    const share = m * n ? ((100 * pattern.entries) / (m * n)).toPrecision(3) : 0;
    const coarse = pattern.grid[0] < m || pattern.grid[1] < n ? ` Each cell stands for about ${Math.ceil(m / pattern.grid[0])} × ${Math.ceil(n / pattern.grid[1])} entries; the darker, the more of them.` : "";
    const many = (k, what) => `${k.toLocaleString("en")} ${what}${k === 1 ? "" : "s"}`;
    words.textContent = `${many(m, "output")} × ${many(n, "input")}; ${pattern.entries.toLocaleString("en")} of the entries (${share}%) can be other than zero.${coarse}${this.colours(m, n)}`;
    find("#pattern").setAttribute("aria-label", words.textContent);
  }

  // How many passes a sparse Jacobian needs.
  colours(m, n) {
    const { columns, rows } = this.pattern.colours || {};
    if (!columns || Math.min(columns, rows) >= Math.min(m, n)) return "";
    const [few, what, mode] = columns <= rows ? [columns, "Columns that share no row", "forward"] : [rows, "Rows that share no column", "reverse"];
    return ` ${what} can be had in one pass, so that wg.jacobian(f, sparse=True) needs ${few.toLocaleString("en")} ${mode} pass${few === 1 ? "" : "es"} and not ${Math.min(m, n).toLocaleString("en")}.`;
  }

  // Rows are outputs, columns inputs; thin lines part the arguments.
  paint() {
    if (this.pattern.why) return;
    const canvas = find("#pattern");
    const [height, width] = this.pattern.grid;
    const room = Math.min(canvas.parentElement.clientWidth - 60 || 700, 760);
    this.cell = Math.max(1, Math.min(28, Math.floor(room / Math.max(width, 1)), Math.floor(560 / Math.max(height, 1))));
    [canvas.width, canvas.height] = [width * this.cell + 1, height * this.cell + 1];
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    pen.fillStyle = style.getPropertyValue("--box");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = style.getPropertyValue("--value");
    const gap = this.cell > 5 ? 1 : 0;
    for (const [i, j, share] of this.pattern.cells) {
      pen.globalAlpha = 0.3 + 0.7 * share;
      pen.fillRect(j * this.cell + gap, i * this.cell + gap, this.cell - gap, this.cell - gap);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = style.getPropertyValue("--soft");
    this.lines(pen, canvas);
  }

  lines(pen, canvas) {
    const [m, n] = this.pattern.shape;
    pen.strokeRect(0.5, 0.5, canvas.width - 1, canvas.height - 1);
    for (const [, start] of this.pattern.columns) this.line(pen, [(start / n) * (canvas.width - 1), 0], [(start / n) * (canvas.width - 1), canvas.height]);
    for (const [, start] of this.pattern.rows) this.line(pen, [0, (start / m) * (canvas.height - 1)], [canvas.width, (start / m) * (canvas.height - 1)]);
  }

  line(pen, from, to) {
    pen.beginPath();
    pen.moveTo(Math.round(from[0]) + 0.5, Math.round(from[1]) + 0.5);
    pen.lineTo(Math.round(to[0]) + 0.5, Math.round(to[1]) + 0.5);
    pen.stroke();
  }

  point(event) {
    const { grid, shape } = this.pattern;
    const [i, j] = [Math.floor(event.offsetY / this.cell), Math.floor(event.offsetX / this.cell)];
    if (i < 0 || j < 0 || i >= grid[0] || j >= grid[1]) return;
    const name = (spans, k) => {
      const span = spans.find(([, start, end]) => k >= start && k < end);
      return span ? `${span[0]}${span[2] - span[1] > 1 ? `[${k - span[1]}]` : ""}` : k;
    };
    const [row, column] = [Math.ceil((i * shape[0]) / grid[0]), Math.ceil((j * shape[1]) / grid[1])];
    const found = this.pattern.cells.find(([a, b]) => a === i && b === j);
    find("#pattern-here").textContent = `∂${name(this.pattern.rows, row)}/∂${name(this.pattern.columns, column)}: ${found ? "may be other than zero" : "zero whatever the values"}`;
  }
}
