// The picture as it is on the screen, as a file of its own.

const DRAWN_BY = ["--paper", "--box", "--ink", "--soft", "--line", "--value", "--adjoint", "--tangent", "--input", "--alarm", "--frame", "--linked", "--walk"];

function svgOf(pane) {
  const { width, height } = pane.picture;
  const copy = pane.svg.cloneNode(true);
  const style = getComputedStyle(document.documentElement);
  const colours = DRAWN_BY.map((name) => `${name}:${style.getPropertyValue(name).trim()}`).join(";");
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).map((rule) => rule.cssText)
    .filter((text) => /^\.canvas/.test(text)).join("\n");
  copy.setAttribute("xmlns", SVG_NAMES);
  copy.setAttribute("viewBox", `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`);
  copy.setAttribute("width", Math.ceil(width));
  copy.setAttribute("height", Math.ceil(height));
  copy.setAttribute("style", colours);
  copy.removeAttribute("tabindex");
  find(".world", copy).removeAttribute("transform");
  copy.prepend(draw("style", {}, rules), draw("rect", { width: "100%", height: "100%", fill: style.getPropertyValue("--paper").trim() }));
  return new XMLSerializer().serializeToString(copy);
}

function save(name, blob) {
  const link = make("a", { download: name, href: URL.createObjectURL(blob) });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`saved ${name}`);
}

function exportSvg(pane, name) { save(`${name}.svg`, new Blob([svgOf(pane)], { type: "image/svg+xml" })); }

function exportPng(pane, name) {
  const image = new Image();
  const scale = Math.min(2, 8000 / Math.max(pane.picture.width, pane.picture.height));
  image.onload = () => {
    const canvas = make("canvas", { width: Math.ceil(pane.picture.width * scale), height: Math.ceil(pane.picture.height * scale) });
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.drawImage(image, 0, 0);
    canvas.toBlob((blob) => save(`${name}.png`, blob));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgOf(pane))}`;
}
