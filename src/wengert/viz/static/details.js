// The panel that says everything about one box.

function fact(name, ...value) { return [make("dt", {}, name), make("dd", {}, ...value)]; }

function valueFacts(name, value) {
  if (!value) return [];
  const found = [...fact(name, ...barred(value.text))];
  const isAlarm = (value.nan || value.inf) && !value.given; // said in red
  const stats = (value.stats || []).filter((text) => !(isAlarm && / (NaN|infinite)$/.test(text)));
  if (stats.length) found.push(...fact("", make("span", { class: "stats" }, stats.join(" · "))));
  if (value.given) found.push(...fact("", make("span", { class: "stats" }, `${value.inf} infinite, as an operand is`)));
  else if (isAlarm) found.push(...fact("", make("strong", { class: "alarm" }, `⚠ ${value.nan} NaN, ${value.inf} infinite`)));
  if (value.full && value.full !== value.text) found.push(...fact("", make("pre", { class: value.full.includes("\n") ? "" : "row" }, value.full)));
  return found;
}

function sourceFacts(app, location) {
  if (!location) return [];
  const text = app.data.sources[location];
  return fact("line", make("code", {}, location), text ? make("pre", { class: "source" }, text) : null);
}

function nodeDetails(app, view, id) {
  const node = view.nodes[id];
  const head = node.kind === "input" ? node.name : `${node.name} = ${node.formula}`;
  const facts = [...fact("type", node.type)];
  if (node.op) facts.push(...fact("primitive", node.op));
  facts.push(...valueFacts("value", node.value));
  if (node.adjoint) facts.push(...valueFacts(node.bar, node.adjoint));
  if (view.id === "primal" && !node.inner) {
    for (const pass of app.data.forward) if (pass.values[id] !== undefined) facts.push(...fact(pass.label, pass.values[id]));
  }
  const partials = view.edges.filter((edge) => edge.t === id && edge.label);
  if (partials.length) facts.push(...fact("slopes", ...partials.map((edge) => make("div", {}, edge.label))));
  const uses = [...new Set(view.edges.filter((edge) => edge.s === id).map((edge) => view.nodes[edge.t].name))];
  if (uses.length) facts.push(...fact("read by", uses.length > 12 ? `${uses.slice(0, 12).join(", ")} … ${uses.length} in all` : uses.join(", ")));
  if (node.from && node.from.length) facts.push(...fact("comes from", node.from.join(", ")));
  if (node.kernels) facts.push(...fact("computed in", node.kernels.map((k) => `K${k}`).join(", ")));
  facts.push(...sourceFacts(app, node.loc));
  if (node.inner) facts.push(...fact("", make("span", { class: "stats" }, "inside of a loop or branch: it runs many times, so it has a type and no one value")));
  return [make("h2", {}, ...barred(head)), make("dl", {}, ...facts)];
}

function groupDetails(app, pane, id) {
  const group = pane.fold.groups[id];
  const inside = pane.fold.nodesIn(id).map((k) => pane.view.nodes[k]);
  const counts = new Map();
  for (const node of inside) if (node.op) counts.set(node.op, (counts.get(node.op) || 0) + 1);
  const operations = [...counts].sort((a, b) => b[1] - a[1]).map(([op, n]) => (n > 1 ? `${op} ×${n}` : op));
  const facts = [...fact("what", KINDS[group.kind] || group.kind), ...fact("inside", `${group.size} boxes`)];
  if (operations.length) facts.push(...fact("operations", operations.slice(0, 16).join(", ") + (operations.length > 16 ? " …" : "")));
  const bad = inside.find(isBad);
  if (bad) facts.push(...fact("", make("strong", { class: "alarm" }, `⚠ NaN or infinity, first in ${bad.name}`)));
  facts.push(...sourceFacts(app, group.loc));
  if (group.text) facts.push(...fact("nest", make("pre", {}, group.text)));
  const verb = pane.fold.open.has(id) ? "Close" : "Open";
  return [make("h2", {}, group.label), make("dl", {}, ...facts),
    make("button", { type: "button", onclick: () => pane.toggle(id) }, `${verb} (Enter)`)];
}

const KINDS = {
  function: "a call of a function", module: "a call of a module", loop: "a loop", pass: "one pass of a loop", range: "steps in a row",
  reverse: "what a walk back computes", inputs: "parts of one argument", inner: "the program of a loop or branch", kernel: "one step of the compiled program",
};

function showDetails(app, pane, key) {
  const id = Number(key.slice(1));
  find("#details").replaceChildren(...(key[0] === "n" ? nodeDetails(app, pane.view, id) : groupDetails(app, pane, id)));
}
