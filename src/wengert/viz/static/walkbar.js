// Stepping through the walks: the bar below the picture.

const PLAY = 900; // milliseconds for a moment

class WalkBar {
  constructor(app) {
    this.app = app;
    this.mode = app.data.reverse.length ? "reverse" : "forward";
    this.pass = 0;
    this.at = -1;
    this.timer = null;
    for (const [id, action] of Object.entries({ first: () => this.go(-1), back: () => this.go(this.at - 1), on: () => this.go(this.at + 1), last: () => this.go(this.moments.length - 1), play: () => this.play() }))
      find(`#walk-${id}`).addEventListener("click", action);
    for (const mode of ["forward", "reverse"]) find(`#mode-${mode}`).addEventListener("click", () => this.choose(mode, 0));
    find("#walk-pass").addEventListener("change", (event) => this.choose(this.mode, Number(event.target.value)));
    find("#walk-place").addEventListener("input", (event) => this.go(Number(event.target.value) - 1));
    this.choose(this.mode, 0);
  }

  passes() { return this.app.data[this.mode]; }

  choose(mode, pass) {
    this.stop();
    this.mode = mode;
    this.pass = Math.min(pass, Math.max(0, this.passes().length - 1));
    this.at = -1;
    const found = this.passes()[this.pass];
    this.moments = found ? momentsOf(this.app.primal.view, found, mode) : [];
    for (const name of ["forward", "reverse"]) find(`#mode-${name}`).setAttribute("aria-pressed", String(name === mode));
    const options = this.passes().map((one, k) => make("option", { value: k }, mode === "forward" ? `${one.label}: ${one.seed}` : one.seed));
    find("#walk-pass").replaceChildren(...options);
    find("#walk-pass").value = String(this.pass);
    find("#walk-place").max = String(this.moments.length);
    this.refresh();
  }

  go(at) {
    this.at = Math.max(-1, Math.min(at, this.moments.length - 1));
    this.refresh();
    if (this.at >= 0) this.app.primal.show(this.keyOf(this.moments[this.at].target));
  }

  play() {
    if (this.timer) return this.stop();
    if (this.at >= this.moments.length - 1) this.at = -1;
    this.timer = setInterval(() => {
      this.go(this.at + 1);
      if (this.at >= this.moments.length - 1) this.stop();
    }, PLAY);
    find("#walk-play").textContent = "Pause";
    this.go(this.at + 1);
    return null;
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    find("#walk-play").textContent = "Play";
  }

  keyOf(nodeId) { return this.app.primal.picture.boxOf[nodeId]; }

  // Show this moment in the picture and in words.
  refresh() {
    const { primal } = this.app;
    const found = this.passes()[this.pass];
    find("#walk-place").value = String(this.at + 1);
    find("#walk-count").textContent = `${this.at + 1} of ${this.moments.length}`;
    this.app.jacobian.counter(this.mode, this.pass);
    this.third(found);
    const moment = this.moments[this.at];
    if (!moment) {
      for (const name of ["walked", "walking"]) primal.light(name, []);
      find("#walk-words").replaceChildren(...introduction(this.mode, this.app.data));
      return;
    }
    const past = this.moments.slice(0, this.at);
    primal.light("walked", past.map((m) => this.keyOf(m.target)), past.map((m) => this.edgeKey(m)));
    primal.light("walking", [this.keyOf(moment.target), ...(moment.all || []).map((id) => this.keyOf(id))], [this.edgeKey(moment)]);
    find("#walk-words").replaceChildren(...sentence(wordsOf(primal.view, found, this.mode, this.moments, this.at), this.inside(moment)));
  }

  edgeKey(moment) {
    if (moment.edge === undefined) return "";
    const edge = this.app.primal.view.edges[moment.edge];
    return `${this.keyOf(edge.s)} ${this.keyOf(edge.t)}`;
  }

  inside(moment) {
    const key = this.keyOf(moment.target);
    return key[0] === "g" ? this.app.primal.fold.groups[Number(key.slice(1))].label : "";
  }

  // The third line of each box: adjoint or tangent in this pass, as far as the walk has come.
  third(found) {
    const { primal } = this.app;
    const sums = this.at >= 0 ? sumsAt(this.moments, this.at) : null;
    const style = this.mode === "forward" ? "tangent" : "adjoint";
    for (const box of primal.picture.boxes) {
      const id = Number(box.key.slice(1));
      const node = primal.view.nodes[box.key[0] === "n" ? id : primal.fold.groups[id].owner];
      if (!node || linesOf(node).length < 3) continue; // it has no derivative
      const place = box.key[0] === "n" ? id : primal.fold.groups[id].owner;
      const sum = sums ? sums.get(place) : { text: found ? found.values[place] : undefined, partial: false };
      const text = sum && sum.text !== undefined ? `${inBrief(sum.text)}${sum.partial ? " + …" : ""}` : sums ? "…" : "0";
      primal.rewrite(box.key, shortened(`${movingName(node, this.mode)} = ${text}`, Math.floor((box.width - 12) / LETTER)), style);
    }
  }
}

function introduction(mode, data) {
  const said = mode === "forward"
    ? "Forward: one input moves at the rate 1; along every edge its motion is multiplied by the local derivative, and sums arrive at the outputs. One pass is a column of the Jacobian."
    : "Reverse: the output's own derivative is 1; against every edge it is multiplied by the local derivative, and sums arrive at the inputs. One pass is a row of the Jacobian: a whole gradient.";
  return [make("p", {}, said, " Press ", make("kbd", {}, "→"), " or ", make("kbd", {}, "n"), "."), make("p", { class: "result" }, data.summary.slice(0, 4).join("     "))];
}

function sentence(words, inside) {
  const sum = words.sum.flatMap((term, k) => {
    const text = term.numbers || term.value || "";
    const shownText = `${term.symbols}${text && term.done ? ` = ${text}` : ""}`;
    return [k ? " + " : "", make("span", { class: `term${term.now ? " now" : ""}${term.done ? "" : " pending"}` }, ...barred(shownText))];
  });
  const found = [make("p", { class: "work" }, ...barred(words.title), inside ? make("span", { class: "stats" }, `  (inside ${inside})`) : null)];
  if (words.sum.length) found.push(make("p", {}, ...barred(`${words.name} = `), ...sum, ` → ${inBrief(words.total)}${words.sum.every((term) => term.done) ? "" : " so far"}`));
  if (words.local) found.push(make("p", { class: "stats" }, "local derivative on the edge: ", ...barred(words.local), words.partial && words.partial.stats ? ` (${words.partial.stats.join(", ")})` : ""));
  if (words.partial && words.partial.full && words.partial.full.includes("\n")) found.push(make("pre", {}, words.partial.full)); // a small matrix
  return found;
}
