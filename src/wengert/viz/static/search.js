// Search by name, primitive, formula, source line, function.

function matches(view, sources, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const found = [];
  view.nodes.forEach((node, id) => {
    const source = node.loc ? `${node.loc} ${sources[node.loc] || ""}` : "";
    const groups = groupLabels(view, node.group);
    const hay = `${node.name} ${node.op} ${node.formula} ${node.type} ${source} ${groups}`.toLowerCase();
    if (words.every((word) => hay.includes(word))) found.push({ id, exact: node.name.toLowerCase() === text.toLowerCase() });
  });
  found.sort((a, b) => b.exact - a.exact || a.id - b.id);
  return found.map((match) => match.id);
}

function groupLabels(view, id) {
  const labels = [];
  for (let at = id; at >= 0; at = view.groups[at].parent) labels.push(view.groups[at].label);
  return labels.join(" ");
}
