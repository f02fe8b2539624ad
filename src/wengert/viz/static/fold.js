// Folding: which boxes are to be seen, given which groups are open.  No document is needed here.

const INNER = "inner";
const FEW_INPUTS = 8; // more parts of one argument stay in a box until they are asked for

class Fold {
  constructor(view) {
    this.view = view;
    this.open = new Set();
    this.root = { id: -1, kind: "program", groups: [], nodes: [], size: 0, parent: null };
    this.groups = view.groups.map((group, id) => ({ ...group, id, groups: [], nodes: [], size: 0 }));
    for (const group of this.groups) this.group(group.parent).groups.push(group);
    view.nodes.forEach((node, id) => {
      this.group(node.group).nodes.push(id);
      for (let at = this.group(node.group); at !== null; at = at.id < 0 ? null : this.group(at.parent)) at.size += 1;
    });
  }

  group(id) { return id < 0 ? this.root : this.groups[id]; }

  // The groups around a node, outermost first.
  around(groupId) {
    const found = [];
    for (let at = groupId; at >= 0; at = this.groups[at].parent) found.unshift(at);
    return found;
  }

  // The box in which a node is seen: the outermost closed group around it, or its own.
  boxOf(nodeId) {
    for (const id of this.around(this.view.nodes[nodeId].group)) if (!this.open.has(id)) return `g${id}`;
    return `n${nodeId}`;
  }

  // What one sees more of after opening a group.
  childCount(group) { return group.nodes.length + group.groups.filter((g) => g.size > 0).length; }

  visibleCount() {
    const count = (group) => group.nodes.length + group.groups.filter((g) => g.size > 0)
      .reduce((sum, g) => sum + (this.open.has(g.id) ? count(g) : 1), 0);
    return count(this.root);
  }

  // Open groups level by level, as long as no more than `limit` boxes are seen; groups of one name open together or not at all.
  openFirst(limit, inner = false) {
    this.open.clear();
    let seen = this.childCount(this.root);
    let level = this.openable(this.root, inner);
    while (level.length) {
      const next = [];
      for (const alike of byLabel(level)) {
        const more = alike.reduce((sum, group) => sum + this.childCount(group) - 1, 0);
        if (seen + more > limit) continue;
        seen += more;
        for (const group of alike) {
          this.open.add(group.id);
          next.push(...this.openable(group, inner));
        }
      }
      level = next;
    }
    return seen;
  }

  openable(group, inner) {
    return group.groups.filter((g) => g.size > 0 && (inner || g.kind !== INNER) && !(g.kind === "inputs" && (this.isBrief || g.size > FEW_INPUTS)));
  }

  toggle(id) {
    if (this.open.has(id)) this.open.delete(id);
    else this.open.add(id);
  }

  reveal(nodeId) {
    for (const id of this.around(this.view.nodes[nodeId].group)) this.open.add(id);
  }

  nodesIn(id) {
    const group = this.group(id);
    return [...group.nodes, ...group.groups.flatMap((g) => this.nodesIn(g.id))];
  }

  // Boxes, frames of open groups, and edges between boxes with the numbers of the edges that each stands for.
  visible() {
    const boxOf = this.view.nodes.map((_, id) => this.boxOf(id));
    const boxes = new Map();
    boxOf.forEach((key, id) => {
      if (!boxes.has(key)) boxes.set(key, { key, parent: this.parentOf(key) });
    });
    const frames = new Map();
    for (const box of boxes.values())
      for (let at = box.parent; at >= 0; at = this.groups[at].parent) frames.set(at, { id: at, parent: this.groups[at].parent });
    const edges = new Map();
    this.view.edges.forEach((edge, k) => {
      const [from, to] = [boxOf[edge.s], boxOf[edge.t]];
      if (from === to) return;
      const key = `${from} ${to}`;
      if (!edges.has(key)) edges.set(key, { key, from, to, list: [] });
      edges.get(key).list.push(k);
    });
    return { boxes: [...boxes.values()], frames: [...frames.values()], edges: [...edges.values()], boxOf };
  }

  parentOf(key) {
    const id = Number(key.slice(1));
    return key[0] === "n" ? this.view.nodes[id].group : this.groups[id].parent;
  }
}

// Groups of one name, numbers apart: the passes of a loop, the calls of a function.
function byLabel(groups) {
  const found = new Map();
  for (const group of groups) {
    const key = `${group.kind} ${group.label.replace(/\d+/g, "")}`;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(group);
  }
  return [...found.values()];
}
