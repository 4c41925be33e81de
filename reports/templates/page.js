"use strict";
// A tip beside the cell under the pointer or the focus; without this script the browser shows the title itself.
const tip = document.getElementById("tip");
function show(cell) {
  tip.textContent = cell.dataset.tip;
  tip.hidden = false;
  const at = cell.getBoundingClientRect();
  const below = at.bottom + tip.offsetHeight + 8 < innerHeight;
  tip.style.left = Math.max(4, Math.min(at.left, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = (below ? at.bottom + 6 : Math.max(4, at.top - tip.offsetHeight - 6)) + "px";
}
function hide() { tip.hidden = true; }
for (const cell of document.querySelectorAll("td[title]")) {
  cell.dataset.tip = cell.title;
  cell.setAttribute("aria-description", cell.title);
  cell.removeAttribute("title");
  for (const kind of ["mouseenter", "focus"]) cell.addEventListener(kind, () => show(cell));
  for (const kind of ["mouseleave", "blur"]) cell.addEventListener(kind, hide);
}
addEventListener("scroll", hide, true);

// One tab stop a heatmap; the arrow keys go from cell to cell.
for (const table of document.querySelectorAll("table.heat")) {
  const grid = () => [...table.querySelectorAll("tr")].map(line => [...line.querySelectorAll("td")]).filter(line => line.length);
  grid().flat().forEach((cell, index) => { cell.tabIndex = index ? -1 : 0; });
  table.addEventListener("keydown", event => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Escape") hide();
    if (!step || !event.target.matches("td")) return;
    event.preventDefault();
    const lines = grid();
    const y = lines.findIndex(line => line.includes(event.target));
    const line = lines[y + step[0]] ?? lines[y];
    const next = line[Math.min(line.length - 1, Math.max(0, lines[y].indexOf(event.target) + step[1]))];
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    if (next.dataset.tip) show(next);
  });
}

// A click on a head sorts: first one way, then the other, then back to families. Rows without a value stay below.
for (const table of document.querySelectorAll("table.sortable")) {
  const groups = [...table.tBodies], original = groups.map(group => [...group.rows]);
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, index) => {
    const cell = row.cells.length === heads.length ? row.cells[index] : index ? undefined : row.cells[0];
    if (!cell) return null;
    return index ? (cell.dataset.value ? Number(cell.dataset.value) : null) : cell.textContent;
  };
  heads.forEach((head, index) => {
    const button = document.createElement("button");
    button.append(...[...head.childNodes].filter(node => node.nodeName !== "SMALL"));
    head.prepend(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: null }[head.ariaSort] ?? (head.ariaSort ? null : "ascending");
      heads.forEach(other => other.removeAttribute("aria-sort"));
      groups.forEach((group, i) => group.append(...original[i]));
      for (const title of table.querySelectorAll("th[scope=rowgroup]")) title.parentNode.hidden = next !== null;
      if (!next) return;
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const rows = original.flat().map(row => [row, value(row, index)]);
      rows.sort(([, a], [, b]) => a === null || b === null ? (a === null) - (b === null) : sign * (a < b ? -1 : a > b ? 1 : 0));
      groups[0].append(...rows.map(([row]) => row));
    });
  });
}
