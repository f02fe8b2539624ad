// The two walks as lists of moments: each has the edge along which something moves, and the words for it.

const DOT = "\u0307"; // ẋ, a tangent
const dotted = (name) => (name.length === 1 ? (name + DOT).normalize("NFC") : `d(${name})`);
const isNumber = (text) => text !== undefined && text !== "" && !text.includes("[") && !text.includes(" ");
const factor = (text) => (text.startsWith("-") || text.includes("j") ? `(${text})` : text);

// A moment: `nodes` are finished, `edge` is the one that is walked, `target` is the node whose sum grows.
function momentsOf(view, pass, mode) {
  const moments = mode === "forward" ? seeds(view, pass, mode) : seeds(view, pass, mode).slice(0, 1);
  const terms = new Map();
  for (const [edge, term, total] of pass.events) {
    const { s, t } = view.edges[edge];
    const target = mode === "forward" ? t : s;
    if (!terms.has(target)) terms.set(target, []);
    terms.get(target).push(moments.length);
    moments.push({ edge, term, total, target, terms: terms.get(target) });
  }
  if (!pass.events.length) moments.push(...nodesInOrder(view, pass, mode));
  return moments;
}

function seeds(view, pass, mode) {
  const found = [];
  const ends = view.nodes.map((_, id) => id).filter((id) => view.nodes[id].kind === (mode === "forward" ? "input" : "output") && !view.nodes[id].inner);
  const moving = ends.filter((id) => pass.values[id] !== undefined);
  if (mode === "forward") {
    for (const id of moving) found.push({ target: id, total: pass.values[id], seed: true, terms: [] });
  } else {
    found.push({ target: moving[moving.length - 1], total: pass.values[moving[moving.length - 1]], seed: true, terms: [], all: moving });
  }
  return found.filter((moment) => moment.target !== undefined);
}

function nodesInOrder(view, pass, mode) {
  const ids = Object.keys(pass.values).map(Number).filter((id) => view.nodes[id] && !view.nodes[id].inner);
  ids.sort((a, b) => (mode === "forward" ? a - b : b - a));
  return ids.filter((id) => mode !== "forward" || view.nodes[id].kind !== "input")
    .map((id) => ({ target: id, total: pass.values[id], terms: [] }));
}

const adjointName = (node) => node.bar || node.name;
const movingName = (node, mode) => (mode === "forward" ? dotted(node.name) : adjointName(node));

const partialName = (view, edge) => `∂${view.nodes[edge.t].name}/∂${view.nodes[edge.s].name}`;

// One term of a chain rule's sum, in symbols and in numbers.
function termOf(view, pass, mode, moment) {
  const edge = view.edges[moment.edge];
  const from = view.nodes[mode === "forward" ? edge.s : edge.t];
  const incoming = pass.values[mode === "forward" ? edge.s : edge.t];
  const symbols = mode === "forward" ? `${partialName(view, edge)}·${dotted(from.name)}` : edge.symbols || `${adjointName(from)}·${partialName(view, edge)}`;
  const partial = edge.partial ? edge.partial.text : undefined;
  const scalar = isNumber(incoming) && isNumber(partial);
  const factors = mode === "forward" ? [partial, incoming] : [incoming, partial];
  const numbers = scalar ? factors.map((text) => factor(inBrief(text))).join("·") : "";
  return { symbols, numbers, value: inBrief(moment.term), withSlope: mode === "forward" ? "" : edge.withSlope || "" };
}

// The words for a moment: what moves, the local derivative, and the sum with the terms that have come so far.
function wordsOf(view, pass, mode, moments, at) {
  const moment = moments[at];
  const target = view.nodes[moment.target];
  const name = movingName(target, mode);
  if (moment.edge === undefined) {
    const seeded = moment.seed ? (mode === "forward" ? "this walk moves it" : "the walk back starts here") : target.formula;
    const all = moment.all && moment.all.length > 1 ? moment.all.map((id) => `${adjointName(view.nodes[id])} = ${inBrief(pass.values[id])}`).join(", ") : `${name} = ${inBrief(moment.total)}`;
    return { title: all, local: seeded, sum: [], total: moment.total, target: target.name };
  }
  const edge = view.edges[moment.edge];
  const sum = moment.terms.map((k) => ({ ...termOf(view, pass, mode, moments[k]), done: k <= at, now: k === at }));
  const start = mode === "reverse" && target.kind === "output" ? [{ symbols: "1", numbers: "1", value: "1", done: true, now: false }] : [];
  const term = termOf(view, pass, mode, moment);
  const work = [term.symbols, term.withSlope, term.numbers].filter(Boolean).join(" = ");
  return {
    title: `${name} += ${work} = ${inBrief(moment.term)}`,
    local: edge.label || partialName(view, edge),
    partial: edge.partial,
    sum: [...start, ...sum],
    total: moment.total,
    target: target.name,
    name,
  };
}

// The sums as they are after a moment: node -> text, and whether more terms will come.
function sumsAt(moments, at) {
  const found = new Map();
  for (let k = 0; k <= at; k += 1) {
    const moment = moments[k];
    for (const id of moment.all || [moment.target]) {
      const last = moment.terms.length ? moment.terms[moment.terms.length - 1] : k;
      found.set(id, { text: moment.total, partial: last > at });
    }
  }
  return found;
}
