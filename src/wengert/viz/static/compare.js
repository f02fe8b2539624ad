// Primal, linear and compiled program side by side: what is pointed at in one is marked in the others.

const COMPARED = [8, 14, 22, 34]; // boxes in each picture to begin with

class Compare {
  constructor(app) {
    this.app = app;
    this.panes = [];
    this.cells = app.data.views.map((view) => this.cell(view));
  }

  // Pictures are laid out when they are first shown.
  cell(view) {
    const host = make("div", { class: "compared", "data-view": view.id });
    const check = make("input", { type: "checkbox", id: `show-${view.id}`, checked: true, onchange: (event) => { host.hidden = !event.target.checked; this.fit(); } });
    find("#compare-which").append(make("label", { for: `show-${view.id}` }, check, ` ${view.id}`));
    host.append(make("h2", {}, view.id), make("p", { class: "stats" }, `${(view.size || view.nodes.length).toLocaleString("en")} boxes: ${view.says}`));
    find("#compare-panes").append(host);
    return { view, host, pane: null };
  }

  show() {
    for (const cell of this.cells) {
      if (cell.pane) continue;
      if (cell.view.error) {
        if (!find(".alarm", cell.host)) cell.host.append(make("p", { class: "alarm" }, `cannot be made here: ${cell.view.error}`));
        continue;
      }
      if (!cell.view.nodes) cell.view = JSON.parse(find(`#data-${cell.view.id}`).textContent);
      cell.pane = new Pane(cell.host, cell.view, (what, pane, key) => this.listen(what, pane, key), { tries: COMPARED, isBrief: true });
      this.panes.push(cell.pane);
    }
    this.fit();
    this.number();
  }

  fit() { for (const pane of this.panes) pane.fit(0); }

  listen(what, pane, key) {
    if (what === "hover" || what === "select") this.link(pane, key);
    if (what === "select" || what === "focus") this.app.active = pane;
    if (what === "drawn" && this.panes.length) this.number();
    if (what === "hover" || what === "select") this.app.describe(pane, key, what === "select");
  }

  // The primal names that a box stands for.
  names(pane, key) {
    const id = Number(key.slice(1));
    const ids = key[0] === "n" ? [id] : pane.fold.nodesIn(id);
    return new Set(ids.flatMap((k) => namesOf(pane.view, k)));
  }

  link(pane, key) {
    const names = this.names(pane, key);
    const counts = [];
    for (const other of this.panes) {
      const keys = new Set();
      other.view.nodes.forEach((_, k) => { if (namesOf(other.view, k).some((name) => names.has(name))) keys.add(other.picture.boxOf[k]); });
      other.light("linked", keys);
      if (other !== pane) counts.push(`${keys.size} in ${other.view.id}`);
    }
    find("#compare-linked").textContent = `${[...names].slice(0, 6).join(", ")}${names.size > 6 ? " …" : ""}: ${counts.join(", ")}`;
  }

  // Small numbers on primal boxes: the kernels that compute them.
  number() {
    const compiled = this.panes.find((pane) => pane.view.id === "compiled");
    const primal = this.panes.find((pane) => pane.view.id === "primal");
    if (!compiled || !primal) return;
    const kernels = new Map();
    compiled.view.nodes.forEach((node, k) => {
      for (const name of namesOf(compiled.view, k)) kernels.set(name, [...(kernels.get(name) || []), ...(node.kernels || [])]);
    });
    for (const [key, element] of primal.elements) {
      find(".kernel-mark", element)?.remove();
      const found = [...new Set([...this.names(primal, key)].flatMap((name) => kernels.get(name) || []))].sort((a, b) => a - b);
      if (!found.length) continue;
      const box = primal.boxes.get(key);
      const text = found.length > 3 ? `K${found[0]}…K${found[found.length - 1]}` : found.map((k) => `K${k}`).join(" ");
      element.append(draw("text", { class: "kernel-mark", x: box.x + box.width / 2 + 4, y: box.y + 4 }, text));
    }
    for (const [key, element] of compiled.elements) this.numberKernel(compiled, key, element);
  }

  numberKernel(compiled, key, element) {
    const { step } = key[0] === "g" ? compiled.fold.groups[Number(key.slice(1))] : {};
    if (!step || find(".kernel-mark", element)) return;
    const box = compiled.boxes.get(key);
    element.append(draw("text", { class: "kernel-mark", x: box.x - box.width / 2 + 4, y: box.y - box.height / 2 - 4 }, `K${step}`));
  }
}

function namesOf(view, k) {
  const node = view.nodes[k];
  if (node.inner) return [];
  return view.id === "primal" ? [node.name] : node.from || [];
}
