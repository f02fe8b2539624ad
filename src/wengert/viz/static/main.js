// The page: one model of the call, four ways to look at it.

const TABS = ["graph", "compare", "jacobian", "tables"];

class App {
  constructor(data) {
    this.data = data;
    makeRoom(data);
    this.theme(readStored("wengert-theme") || "");
    this.jacobian = new Jacobian(this);
    this.compare = new Compare(this);
    this.primal = new Pane(find("#picture"), data.views[0], (what, pane, key) => this.listen(what, pane, key));
    this.active = this.primal;
    this.walk = new WalkBar(this);
    this.found = [];
    this.buttons();
    this.search();
    listenToKeys(this);
    this.primal.fit();
    this.welcome();
    document.documentElement.dataset.ready = "yes";
  }

  listen(what, pane, key) {
    if (what === "drawn" && this.walk) this.walk.refresh();
    if (what === "drawn") this.outline(pane);
    if (what === "hover") this.describe(pane, key, false);
    if (what === "select") this.describe(pane, key, true);
    if (what === "select" || what === "focus") this.active = pane;
    if (what === "leave" && pane.selected) showDetails(this, pane, pane.selected);
    if (what === "leave" || what === "hover") this.neighbours(pane, what === "hover" ? key : pane.selected);
    if (what === "select") this.neighbours(pane, key);
  }

  describe(pane, key, isChosen) {
    showDetails(this, pane, key);
    if (isChosen) say(pane.elements.get(key)?.getAttribute("aria-label") || "");
  }

  // The edges at a box, and its operands and users.
  neighbours(pane, key) {
    const edges = pane.picture.edges.filter((edge) => edge.from === key || edge.to === key);
    pane.light("near", edges.map((edge) => (edge.from === key ? edge.to : edge.from)), edges.map((edge) => edge.key));
  }

  outline(pane) {
    const { picture, view } = pane;
    find("#outline-words").textContent = picture.boxes.length < view.nodes.length
      ? `${view.nodes.length.toLocaleString("en")} variables in ${picture.boxes.length} boxes: boxes with ▸ open by a double click or Enter`
      : `${view.nodes.length} variables, ${view.edges.length} edges`;
  }

  welcome() {
    const { data } = this;
    const bad = data.views[0].nodes.findIndex(isBad);
    const said = [make("h2", {}, "Details"), make("p", {}, "Point at a box, or choose one by the arrow keys.")];
    if (bad >= 0) said.push(make("p", { class: "alarm" }, `⚠ NaN or infinity: the first is in ${data.views[0].nodes[bad].name}. `, make("button", { type: "button", onclick: () => this.firstBad() }, "Show it (b)")));
    find("#details").replaceChildren(...said, legend());
  }

  firstBad() {
    const { nodes } = this.data.views[0];
    let bad = nodes.findIndex(isBadValue);
    if (bad < 0) bad = nodes.findLastIndex(isBad); // a walk back goes from last to first
    this.tab("graph");
    if (bad >= 0) this.primal.goTo(bad);
    else say("no NaN and no infinity");
  }

  // --- searching -------------------------------------------------------------------------------------------------------

  search() {
    const input = find("#search");
    input.addEventListener("input", () => {
      this.found = matches(this.primal.view, this.data.sources, input.value);
      this.place = -1;
      this.primal.light("found", this.found.map((id) => this.primal.picture.boxOf[id]));
      find("#search-count").textContent = input.value ? `${this.found.length} found` : "";
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { input.value = ""; input.dispatchEvent(new Event("input")); this.primal.svg.focus(); }
      if (event.key !== "Enter" || !this.found.length) return;
      this.place = (this.place + (event.shiftKey ? this.found.length - 1 : 1)) % this.found.length;
      this.tab("graph");
      this.primal.goTo(this.found[this.place]);
      this.primal.light("found", this.found.map((id) => this.primal.picture.boxOf[id]));
      find("#search-count").textContent = `${this.place + 1} of ${this.found.length}`;
    });
  }

  // --- buttons -----------------------------------------------------------------------------------------------------------

  buttons() {
    const actions = {
      "zoom-in": () => this.active.zoom(ZOOM_STEP), "zoom-out": () => this.active.zoom(1 / ZOOM_STEP),
      "zoom-fit": () => this.active.fit(), "fold-open": () => this.active.foldAll(true), "fold-close": () => this.active.foldAll(false),
      "theme": () => this.switchTheme(), "ask": () => this.help(), "help-close": () => find("#help").close(),
      "save-svg": () => exportSvg(this.active, this.data.name), "save-png": () => exportPng(this.active, this.data.name),
    };
    for (const [id, action] of Object.entries(actions)) find(`#${id}`).addEventListener("click", action);
    for (const name of TABS) find(`#tab-${name}`).addEventListener("click", () => this.tab(name));
    find("[role=tablist]").addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!turn) return;
      const next = TABS[(TABS.indexOf(this.shown || "graph") + turn + TABS.length) % TABS.length];
      this.tab(next);
      find(`#tab-${next}`).focus();
      event.stopPropagation();
    });
    find("#help").append(helpTable());
  }

  tab(name) {
    this.shown = name;
    for (const one of TABS) {
      find(`#tab-${one}`).setAttribute("aria-selected", String(one === name));
      find(`#tab-${one}`).tabIndex = one === name ? 0 : -1;
      find(`#panel-${one}`).hidden = one !== name;
    }
    find("#details").hidden = name === "tables" || name === "jacobian";
    find("main").dataset.tab = name;
    if (name === "compare") this.compare.show();
    if (name === "jacobian") this.jacobian.paint();
    this.active = name === "compare" && this.compare.panes.length ? this.compare.panes[0] : this.primal;
  }

  enter() {
    const key = this.active.selected;
    if (!key) return;
    if (key[0] === "g") this.active.toggle(Number(key.slice(1)));
    else showDetails(this, this.active, key);
  }

  closeAround() {
    const key = this.active.selected;
    const parent = key ? this.active.fold.parentOf(key) : -1;
    if (parent >= 0) this.active.toggle(parent);
  }

  help() { find("#help").showModal(); }

  theme(name) {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
  }

  switchTheme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    this.theme(next);
    store("wengert-theme", next);
    this.jacobian.paint();
    say(`${next} colours`);
  }
}

// Boxes are as wide as the longest line that a walk writes into them.
function makeRoom(data) {
  const [view] = data.views;
  for (const mode of ["forward", "reverse"])
    for (const pass of data[mode])
      for (const [id, text] of Object.entries(pass.values)) {
        const node = view.nodes[id];
        if (linesOf(node).length > 2) node.room = Math.min(44, Math.max(node.room || 0, letters(`${movingName(node, mode)} = ${inBrief(text)} + …`)));
      }
}

function legend() {
  const item = (kind, words) => make("li", {}, make("span", { class: `swatch ${kind}` }), words);
  return make("ul", { class: "legend" }, item("input", "input (round)"), item("output", "output (double line)"), item("group", "closed box ▸ (double click or Enter opens)"),
    item("value", "value"), item("adjoint", "adjoint, reverse walk"), item("tangent", "tangent, forward walk"), item("walk", "where the walk is (thick)"));
}

function start() {
  const began = performance.now();
  const app = new App(JSON.parse(find("#data").textContent));
  document.documentElement.dataset.opened = (performance.now() - began).toFixed(0);
  window.wengert = app;
}
