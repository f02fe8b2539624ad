// Everything by the keyboard.

const HELP = [
  ["← ↑ ↓ →", "with the picture in focus: to the next box in that direction"],
  ["Enter", "open or close the chosen box; z closes the box around it"],
  ["+  -  0  9", "larger, smaller, fit in letters that can be read, fit all"],
  ["Shift + arrows", "move the picture"],
  ["n  p", "next and previous moment of the walk"],
  ["Space", "play the walk, or stop it"],
  ["f  r", "forward walk, reverse walk"],
  ["[  ]", "previous and next pass"],
  ["/", "search; Enter goes to the next place found, Escape leaves"],
  ["b", "to the first NaN or infinity"],
  ["o  c", "open many boxes, close all"],
  ["1  2  3  4", "graph, comparison, Jacobian, tables"],
  ["d", "light or dark"],
  ["?", "this list"],
];

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function keyActions(app) {
  const { walk } = app;
  return {
    "+": () => app.active.zoom(ZOOM_STEP), "=": () => app.active.zoom(ZOOM_STEP), "-": () => app.active.zoom(1 / ZOOM_STEP),
    0: () => app.active.fit(), 9: () => app.active.fitAll(),
    n: () => walk.go(walk.at + 1), p: () => walk.go(walk.at - 1), " ": () => walk.play(),
    f: () => walk.choose("forward", 0), r: () => walk.choose("reverse", 0),
    "]": () => walk.choose(walk.mode, (walk.pass + 1) % walk.passes().length),
    "[": () => walk.choose(walk.mode, (walk.pass + walk.passes().length - 1) % walk.passes().length),
    "/": () => find("#search").focus(), b: () => app.firstBad(), d: () => app.switchTheme(),
    o: () => app.active.foldAll(true), c: () => app.active.foldAll(false),
    1: () => app.tab("graph"), 2: () => app.tab("compare"), 3: () => app.tab("jacobian"), 4: () => app.tab("tables"),
    "?": () => app.help(), Enter: () => app.enter(), z: () => app.closeAround(),
  };
}

function listenToKeys(app) {
  const actions = keyActions(app);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select");
    const pressing = event.target.matches("button, input[type=checkbox]") && (event.key === "Enter" || event.key === " ");
    if (typing || pressing || event.ctrlKey || event.metaKey || event.altKey || find("#help").open) return;
    const inPicture = event.target.classList.contains("canvas");
    const arrow = ARROWS[event.key];
    if (arrow && event.shiftKey) app.active.pan(-60 * arrow[0], -60 * arrow[1]);
    else if (arrow && inPicture) app.active.step(...arrow);
    else if (arrow && arrow[0] && event.target === document.body) app.walk.go(app.walk.at + arrow[0]);
    else if (event.key in actions) actions[event.key]();
    else return;
    event.preventDefault();
  });
}

function helpTable() {
  return make("table", {}, ...HELP.map(([keys, what]) => make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, keys)), make("td", {}, what))));
}
