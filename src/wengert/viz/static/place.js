// Places for boxes and edges, by dagre; only what is visible is laid out.

const LETTER = 7.83;
const SMALL_LETTER = 6.63;
const LINE = 19;
const MOST_LABELS = 90; // edges of a larger picture have their labels in the details alone

const letters = (text) => text.replace(/\p{M}/gu, "").length;
const shortened = (text, most) => (letters(text) <= most ? text : `${[...text].slice(0, most - 1).join("")}…`);

// A number in six digits, an array by its shape and range: for boxes and sums; the details have the exact one.
function inBrief(text) {
  const number = text === "" ? NaN : Number(text);
  if (!Number.isNaN(number)) return String(Number(number.toPrecision(6)));
  return text.replace(/^[a-z]+\d*(?=\[)/, "").replace(/, mean \S+$/, "");
}

function linesOfBox(fold, key) {
  const id = Number(key.slice(1));
  const most = fold.isBrief ? 24 : fold.view.nodes.length > 60 ? 30 : 44; // the details have all of it
  const lines = (node) => linesOf(node).slice(0, fold.isBrief ? 2 : 3).map(([text, kind]) => [shortened(text, most), kind]);
  if (key[0] === "n") return lines(fold.view.nodes[id]);
  const group = fold.groups[id];
  const owner = group.owner === undefined ? null : fold.view.nodes[group.owner];
  if (owner) return [[`▸ ${shortened(group.label, most - 4)}`, "name"], ...lines(owner).slice(1)];
  const what = group.kind === "inputs" ? "inputs" : group.kind === "kernel" ? "operations" : "steps";
  return [[`▸ ${shortened(group.label, most - 4)}`, "name"], [`${group.size} ${what}`, "faint"]];
}

// Those of the pictures; boxes of other programs have a formula and a value, or a type where there is no one value.
function linesOf(node) {
  if (!node.lines) node.lines = [[node.kind === "input" ? node.name : `${node.name} = ${node.formula}`, "name"], [node.value ? inBrief(node.value.text) : node.type, "value"]];
  return node.lines;
}

function sizeOf(lines, room = 0) {
  return { width: LETTER * Math.max(room, ...lines.map(([text]) => letters(text))) + 24, height: LINE * lines.length + 14 };
}

function roomOf(fold, key) {
  const id = Number(key.slice(1));
  const node = fold.view.nodes[key[0] === "n" ? id : fold.groups[id].owner];
  return fold.isBrief || fold.view.nodes.length > 60 ? 0 : (node && node.room) || 0;
}

function placed(fold) {
  const seen = fold.visible();
  const labelled = !fold.isBrief && seen.edges.length <= MOST_LABELS;
  const graph = new dagre.graphlib.Graph({ compound: true });
  graph.setGraph({ rankdir: "TB", nodesep: 26, edgesep: 16, ranksep: labelled ? 52 : 44, marginx: 24, marginy: 30 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const frame of seen.frames) graph.setNode(`f${frame.id}`, {});
  for (const box of seen.boxes) {
    box.lines = linesOfBox(fold, box.key);
    box.isInput = (box.key[0] === "n" ? fold.view.nodes : fold.groups)[Number(box.key.slice(1))].kind.startsWith("input");
    graph.setNode(box.key, sizeOf(box.lines, roomOf(fold, box.key)));
  }
  for (const frame of seen.frames) if (frame.parent >= 0) graph.setParent(`f${frame.id}`, `f${frame.parent}`);
  for (const box of seen.boxes) if (box.parent >= 0) graph.setParent(box.key, `f${box.parent}`);
  for (const edge of seen.edges) {
    edge.label = labelled ? labelOfEdge(fold.view, edge) : "";
    const size = edge.label ? { width: SMALL_LETTER * letters(edge.label) + 10, height: 18, labelpos: "c" } : {};
    graph.setEdge(edge.from, edge.to, size);
  }
  for (const [from, to] of belowOwners(fold, seen)) graph.setEdge(from, to, { weight: 0.2 });
  dagre.layout(graph);
  return read(graph, seen);
}

// The program of a loop stands below the operation that runs it; there is no edge to be drawn for that.
function belowOwners(fold, seen) {
  const found = [];
  for (const box of seen.boxes) {
    const node = box.key[0] === "n" ? fold.view.nodes[Number(box.key.slice(1))] : null;
    if (!node || !node.inner || node.kind !== "input") continue;
    const loop = fold.around(node.group).map((id) => fold.groups[id]).findLast((group) => group.owner !== undefined);
    if (loop) found.push([seen.boxOf[loop.owner], box.key]);
  }
  return found.filter(([from, to]) => from !== to);
}

function labelOfEdge(view, edge) {
  const texts = edge.list.map((k) => view.edges[k].label || "").filter(Boolean);
  const together = texts.join(" + ");
  return texts.length && together.length <= 44 && edge.from[0] === "n" && edge.to[0] === "n" ? together : "";
}

// The first input stands left of the last one, as in the function's own head.
function isTurned(graph, seen) {
  const inputs = seen.boxes.filter((box) => box.isInput).map((box) => graph.node(box.key).x);
  return inputs.length > 1 && inputs[0] > inputs[inputs.length - 1];
}

function turn(graph, seen) {
  const { width } = graph.graph();
  const mirror = (thing) => { if (thing.x !== undefined) thing.x = width - thing.x; };
  for (const box of seen.boxes) mirror(graph.node(box.key));
  for (const frame of seen.frames) mirror(graph.node(`f${frame.id}`));
  for (const edge of seen.edges) {
    const found = graph.edge(edge.from, edge.to);
    mirror(found);
    found.points.forEach(mirror);
  }
}

function read(graph, seen) {
  if (isTurned(graph, seen)) turn(graph, seen);
  for (const box of seen.boxes) Object.assign(box, graph.node(box.key));
  for (const frame of seen.frames) Object.assign(frame, graph.node(`f${frame.id}`));
  for (const edge of seen.edges) {
    const found = graph.edge(edge.from, edge.to);
    edge.points = found.points;
    edge.at = found.x === undefined ? found.points[Math.floor(found.points.length / 2)] : { x: found.x, y: found.y };
  }
  seen.frames.sort((a, b) => b.width * b.height - a.width * a.height);
  const size = graph.graph();
  return { ...seen, width: size.width || 0, height: size.height || 0 };
}

// A smooth path through points: through the middles of the pieces, rounded at the corners.
function smooth(points) {
  const [first, ...rest] = points;
  let path = `M${first.x.toFixed(1)} ${first.y.toFixed(1)}`;
  for (let k = 0; k < rest.length - 1; k += 1) {
    const [p, q] = [rest[k], rest[k + 1]];
    const last = k === rest.length - 2;
    const end = last ? q : { x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 };
    path += `Q${p.x.toFixed(1)} ${p.y.toFixed(1)} ${end.x.toFixed(1)} ${end.y.toFixed(1)}`;
  }
  if (rest.length === 1) path += `L${rest[0].x.toFixed(1)} ${rest[0].y.toFixed(1)}`;
  return path;
}
