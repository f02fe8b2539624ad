// One picture: draws what is visible of a program, and moves over it.

const ZOOM_STEP = 1.2;
const SMALL = 60; // a program of so many boxes opens whole
const FIRST_BOXES = [8, 14, 22, 32, 44]; // a longer one opens with the largest of these numbers whose picture can be read
const READABLE = 0.62; // scale
const MOST_OPEN = 160; // boxes after "open all": more of them are a wall, and are opened one by one

class Pane {
  constructor(host, view, listen, { tries = FIRST_BOXES, isBrief = false } = {}) {
    this.view = view;
    this.listen = listen;
    this.fold = new Fold(view);
    this.fold.isBrief = isBrief; // boxes of two short lines, for pictures side by side
    this.at = { x: 0, y: 0, scale: 1 };
    this.selected = null;
    this.world = draw("g", { class: "world" });
    this.svg = draw("svg", { class: "canvas", tabindex: "0", role: "application", "aria-label": `graph of the ${view.id} program; arrow keys move, Enter opens` }, arrowTips(view.id), this.world);
    host.append(this.svg);
    this.watch();
    this.openReadable(tries);
  }

  // As many boxes as can be read in the width of the window.
  openReadable(tries) {
    const { width } = this.size();
    const fits = () => this.picture.width * READABLE <= width;
    const open = (most) => {
      this.seen = this.fold.openFirst(most);
      this.picture = placed(this.fold);
    };
    if (this.view.nodes.length <= SMALL) open(Infinity);
    if (!this.picture || !fits()) {
      let last = null;
      for (const most of tries) {
        if (last && this.fold.openFirst(most) === last.seen) continue;
        open(most);
        if (last && !fits()) break;
        last = { open: new Set(this.fold.open), picture: this.picture, seen: this.seen };
      }
      [this.fold.open, this.picture] = [last.open, last.picture];
    }
    this.paint();
  }

  layout() {
    this.picture = placed(this.fold);
    this.paint();
  }

  paint() {
    this.boxes = new Map(this.picture.boxes.map((box) => [box.key, box]));
    this.elements = new Map();
    this.edgeElements = new Map();
    this.world.replaceChildren(
      ...this.picture.frames.map((frame) => this.drawFrame(frame)),
      ...this.picture.edges.map((edge) => this.drawEdge(edge)),
      ...this.picture.frames.map((frame) => this.drawFrameTitle(frame)),
      ...this.picture.edges.filter((edge) => edge.label).map((edge) => this.drawLabel(edge)),
      ...this.picture.boxes.map((box) => this.drawBox(box)),
    );
    if (this.selected && !this.boxes.has(this.selected)) this.selected = null;
    if (this.selected) this.mark(this.selected);
    this.listen("drawn", this);
  }

  // Open or close a group, and keep the box that was pressed in its place.
  toggle(id) {
    const before = this.boxes.get(`g${id}`) || this.picture.frames.find((frame) => frame.id === id);
    this.fold.toggle(id);
    this.layout();
    const after = this.boxes.get(`g${id}`) || this.picture.frames.find((frame) => frame.id === id);
    if (before && after) {
      const [top, newTop] = [before.y - before.height / 2, after.y - after.height / 2];
      this.at.x += (before.x - after.x) * this.at.scale;
      this.at.y += (top - newTop) * this.at.scale;
      this.move();
    }
    if (this.boxes.has(`g${id}`)) this.select(`g${id}`, false);
    const group = this.fold.groups[id];
    say(`${group.label} ${this.fold.open.has(id) ? "opened" : "closed"}: ${this.picture.boxes.length} boxes`);
  }

  foldAll(open) {
    if (open) this.fold.openFirst(MOST_OPEN, true);
    else this.fold.open.clear();
    this.layout();
    if (open) this.fitAll();
    else this.fit();
    say(`${this.picture.boxes.length} boxes`);
  }

  drawFrame(frame) {
    const group = this.fold.groups[frame.id];
    const [left, top] = [frame.x - frame.width / 2, frame.y - frame.height / 2];
    return draw("g", { class: `frame ${group.kind}`, "data-frame": frame.id, ondblclick: () => this.toggle(frame.id) },
      draw("rect", { x: left, y: top, width: frame.width, height: frame.height, rx: 8 }));
  }

  // Above the edges, so that they can be read.
  drawFrameTitle(frame) {
    const group = this.fold.groups[frame.id];
    const [left, top] = [frame.x - frame.width / 2, frame.y - frame.height / 2];
    const title = `▾ ${shortened(group.label, Math.max(8, Math.floor(frame.width / 7) - 3))}`;
    return draw("text", { class: "frame-title", x: left + 10, y: top + 15, role: "button", "aria-label": `close ${group.label}`, onclick: () => this.toggle(frame.id) }, title);
  }

  drawEdge(edge) {
    const many = edge.list.length > 1 ? " many" : "";
    const path = draw("path", { class: `edge${many}`, d: smooth(edge.points), "marker-end": `url(#tip-${this.view.id})` });
    this.edgeElements.set(edge.key, [path]);
    return path;
  }

  drawLabel(edge) {
    const width = SMALL_LETTER * letters(edge.label) + 8;
    const label = draw("g", { class: "label" },
      draw("rect", { x: edge.at.x - width / 2, y: edge.at.y - 9, width, height: 18, rx: 4 }),
      draw("text", { x: edge.at.x, y: edge.at.y + 4, "text-anchor": "middle" }, ...barred(edge.label, draw)));
    this.edgeElements.get(edge.key).push(label);
    return label;
  }

  drawBox(box) {
    const id = Number(box.key.slice(1));
    const isNode = box.key[0] === "n";
    const thing = isNode ? this.view.nodes[id] : this.fold.groups[id];
    const [left, top] = [box.x - box.width / 2, box.y - box.height / 2];
    const kind = isNode ? thing.kind : `group ${thing.kind}`;
    const bad = isNode ? isBad(thing) : this.fold.nodesIn(id).some((k) => isBad(this.view.nodes[k]));
    const words = box.lines.map(([text]) => text).join(", ");
    const element = draw("g", { class: `box ${kind}${bad ? " bad" : ""}`, "data-key": box.key, role: "img", "aria-label": bad ? `${words}, has NaN or infinity` : words });
    if (!isNode || thing.kind === "output")
      element.append(draw("rect", { class: "behind", x: left + (isNode ? -3 : 4), y: top + (isNode ? -3 : 4), width: box.width + (isNode ? 6 : 0), height: box.height + (isNode ? 6 : 0), rx: isNode ? 8 : 5 }));
    element.append(draw("rect", { class: "face", x: left, y: top, width: box.width, height: box.height, rx: isNode && thing.kind === "input" ? 14 : 5 }));
    box.lines.forEach(([text, style], k) => element.append(draw("text", { class: style, x: box.x, y: top + 20 + LINE * k, "text-anchor": "middle" }, ...barred(text, draw))));
    if (bad) element.append(draw("text", { class: "warning", x: left + box.width + 10, y: top + 16, "text-anchor": "middle" }, "⚠"));
    element.addEventListener("pointerenter", () => this.listen("hover", this, box.key));
    element.addEventListener("click", () => this.select(box.key, false));
    element.addEventListener("dblclick", () => { if (!isNode) this.toggle(id); });
    this.elements.set(box.key, element);
    return element;
  }

  // --- choosing -----------------------------------------------------------------------------------------------------

  select(key, show = true) {
    this.selected = key;
    this.mark(key);
    if (show) this.show(key);
    this.listen("select", this, key);
  }

  mark(key) {
    for (const element of this.elements.values()) element.classList.remove("chosen");
    this.elements.get(key)?.classList.add("chosen");
    this.svg.setAttribute("aria-label", `graph of the ${this.view.id} program; at ${this.elements.get(key)?.getAttribute("aria-label") || ""}`);
  }

  goTo(nodeId) {
    this.fold.reveal(nodeId);
    this.layout();
    this.select(`n${nodeId}`);
  }

  light(name, keys, edges = []) {
    for (const element of this.world.querySelectorAll(`.${name}`)) element.classList.remove(name);
    for (const key of keys) this.elements.get(key)?.classList.add(name);
    for (const key of edges) for (const element of this.edgeElements.get(key) || []) element.classList.add(name);
  }

  // The third line of a box during a walk: the sum so far.
  rewrite(key, text, style) {
    const element = this.elements.get(key);
    if (!element) return;
    const lines = [...element.querySelectorAll("text.adjoint, text.tangent")];
    if (lines[0]) {
      lines[0].setAttribute("class", style);
      lines[0].replaceChildren(...barred(text, draw));
    }
  }

  // --- moving -------------------------------------------------------------------------------------------------------

  move() {
    const { x, y, scale } = this.at;
    this.world.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${scale.toFixed(4)})`);
  }

  size() {
    const { width, height } = this.svg.getBoundingClientRect();
    return { width: width || 800, height: height || 600 };
  }

  // All of it; or, where that is too small to be read, the top.
  fit(least = 0.4) {
    const { width, height } = this.size();
    const whole = Math.min(1.4, width / (this.picture.width + 16), height / (this.picture.height + 16));
    const readable = Math.min(1, Math.max(least, width / (this.picture.width + 16)));
    const scale = whole >= READABLE ? whole : Math.max(whole, Math.min(readable, READABLE));
    const y = this.picture.height * scale > height ? 8 : (height - this.picture.height * scale) / 2;
    this.at = { scale, x: (width - this.picture.width * scale) / 2, y };
    this.move();
  }

  fitAll() {
    const { width, height } = this.size();
    const scale = Math.min(1.4, width / (this.picture.width + 16), height / (this.picture.height + 16));
    this.at = { scale, x: (width - this.picture.width * scale) / 2, y: (height - this.picture.height * scale) / 2 };
    this.move();
  }

  zoom(by, x = this.size().width / 2, y = this.size().height / 2) {
    const scale = Math.min(4, Math.max(0.02, this.at.scale * by));
    const ratio = scale / this.at.scale;
    this.at = { scale, x: x - (x - this.at.x) * ratio, y: y - (y - this.at.y) * ratio };
    this.move();
  }

  pan(dx, dy) {
    this.at.x += dx;
    this.at.y += dy;
    this.move();
  }

  // Bring a box into view, without moving if it is there already.
  show(key) {
    const box = this.boxes.get(key);
    if (!box) return;
    const { width, height } = this.size();
    const [x, y] = [box.x * this.at.scale + this.at.x, box.y * this.at.scale + this.at.y];
    const [w, h] = [(box.width / 2) * this.at.scale, (box.height / 2) * this.at.scale];
    if (x - w < 10 || x + w > width - 10 || y - h < 10 || y + h > height - 10) this.pan(width / 2 - x, height / 2 - y);
  }

  // The nearest box in a direction from the chosen one.
  step(dx, dy) {
    const here = this.boxes.get(this.selected);
    if (!here) {
      this.select(this.picture.boxes[0]?.key);
      return;
    }
    let best = null;
    for (const box of this.picture.boxes) {
      const [along, across] = [(box.x - here.x) * dx + (box.y - here.y) * dy, Math.abs((box.x - here.x) * dy) + Math.abs((box.y - here.y) * dx)];
      const far = along + (dx ? 4 * across : across); // sideways, stay in the row
      if (box !== here && along > 4 && (best === null || far < best.far)) best = { box, far };
    }
    if (best) this.select(best.box.key);
  }

  watch() {
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { left, top } = this.svg.getBoundingClientRect();
      this.zoom(ZOOM_STEP ** (-event.deltaY / 120), event.clientX - left, event.clientY - top);
    }, { passive: false });
    let from = null;
    this.svg.addEventListener("pointerdown", (event) => { if (event.button === 0) from = { x: event.clientX, y: event.clientY, moved: false }; });
    this.svg.addEventListener("pointermove", (event) => {
      if (!from) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!from.moved && Math.hypot(dx, dy) < 4) return;
      if (!from.moved) this.svg.setPointerCapture(event.pointerId);
      this.pan(dx, dy);
      from = { x: event.clientX, y: event.clientY, moved: true };
    });
    for (const end of ["pointerup", "pointercancel"]) this.svg.addEventListener(end, () => { from = null; });
    this.svg.addEventListener("pointerleave", () => this.listen("leave", this));
    this.svg.addEventListener("focus", () => this.listen("focus", this));
  }
}

// NaN, or an infinity that was made here: one that came in, as that of a mask, is meant.
function isBadValue(node) { return Boolean(node.value && (node.value.nan || (node.value.inf && !node.value.given))); }
function isBad(node) { return isBadValue(node) || Boolean(node.adjoint && (node.adjoint.nan || node.adjoint.inf)); }

function arrowTips(id) {
  return draw("defs", {}, draw("marker", { id: `tip-${id}`, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" },
    draw("path", { class: "tip", d: "M0 0L10 5L0 10z" })));
}
