"use strict";
document.documentElement.classList.add("js");

// The list of sections: the one that is read is marked; where the list is a bar, a button unfolds it.
const nav = document.querySelector("nav"), menu = document.getElementById("menu");
const links = [...nav.querySelectorAll("ol a")], targets = links.map(link => document.getElementById(link.hash.slice(1)));
function mark() {
  const atEnd = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const line = atEnd ? innerHeight : innerHeight / 3;
  const read = Math.max(0, targets.findLastIndex(target => target.getBoundingClientRect().top < line));
  if (links[read].ariaCurrent) return;
  links.forEach((link, index) => index === read ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
  menu.lastChild.textContent = " · " + links[read].textContent;
}
function unfold(open) { menu.setAttribute("aria-expanded", open); }
menu.hidden = false;
menu.addEventListener("click", () => unfold(menu.getAttribute("aria-expanded") === "false"));
nav.addEventListener("focusout", event => nav.contains(event.relatedTarget) || unfold(false));
links.forEach(link => link.addEventListener("click", () => unfold(false)));
addEventListener("scroll", mark, { passive: true });
mark();

// Sections are folded but for the first. A link opens the one that it leads to, and one button opens all.
const folded = [...document.querySelectorAll("details.section")], unfoldAll = document.getElementById("unfold");
document.querySelectorAll("a.more").forEach(link => document.getElementById(link.hash.slice(1)) || link.remove());
function reveal(hash) {
  const target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (!target) return;
  const inside = target.querySelector(":scope > details.section") ?? target.closest("details.section");
  if (inside) inside.open = true;
  for (let around = target.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
}
document.addEventListener("click", event => {
  const link = event.target.closest("a[href^='#']");
  if (link) reveal(link.hash);
});
addEventListener("hashchange", () => reveal(location.hash));
reveal(location.hash);
function tell() {
  const all = folded.every(section => section.open);
  unfoldAll.textContent = all ? "Fold all sections" : "Open all sections";
  unfoldAll.setAttribute("aria-pressed", all);
}
unfoldAll.hidden = !folded.length;
unfoldAll.addEventListener("click", () => {
  const open = !folded.every(section => section.open);
  folded.forEach(section => { section.open = open; });
  tell();
});
folded.forEach(section => section.addEventListener("toggle", () => { tell(); mark(); }));

// Of several views of one thing, one is shown; buttons choose which.
for (const choice of document.querySelectorAll(".choice")) {
  const views = [...choice.querySelectorAll(":scope > .view")];
  if (views.length < 2) continue;
  const bar = document.createElement("div");
  bar.className = "views";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", choice.dataset.label);
  const buttons = views.map(view => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = view.dataset.name;
    button.addEventListener("click", () => pick(view));
    return button;
  });
  const pick = shown => views.forEach((view, index) => {
    view.hidden = view !== shown;
    buttons[index].setAttribute("aria-pressed", view === shown);
  });
  bar.append(choice.dataset.label + " ", ...buttons);
  choice.prepend(bar);
  pick(views[0]);
}

// What fits its place need not be a stop of the keyboard, and its head can stay in sight.
const sizes = new ResizeObserver(entries => entries.forEach(({ target }) => {
  const fits = target.scrollWidth <= target.clientWidth;
  target.classList.toggle("fits", fits);
  if (fits) target.removeAttribute("tabindex"); else target.tabIndex = 0;
}));
document.querySelectorAll(".scroll, figure").forEach(place => sizes.observe(place));

// A tip beside the cell under the pointer or the focus; without this script the browser shows the title itself.
const tip = document.getElementById("tip");
let shown = null;
function show(cell) {
  shown = cell;
  tip.textContent = cell.dataset.tip;
  tip.hidden = false;
  const at = cell.getBoundingClientRect();
  const below = at.bottom + tip.offsetHeight + 8 < innerHeight;
  tip.style.left = Math.max(4, Math.min(at.left, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = (below ? at.bottom + 6 : Math.max(4, at.top - tip.offsetHeight - 6)) + "px";
}
function hide() { tip.hidden = true; shown = null; }
for (const cell of document.querySelectorAll("td[title]")) {
  cell.dataset.tip = cell.title;
  cell.setAttribute("aria-description", cell.title);
  cell.removeAttribute("title");
  for (const kind of ["mouseenter", "focus"]) cell.addEventListener(kind, () => show(cell));
  for (const kind of ["mouseleave", "blur"]) cell.addEventListener(kind, hide);
}
addEventListener("scroll", () => shown && (shown.matches(":hover, :focus") ? show(shown) : hide()), true);
addEventListener("keydown", event => {
  if (event.key !== "Escape") return;
  hide();
  if (menu.getAttribute("aria-expanded") === "true") { menu.focus(); unfold(false); }
});

// One tab stop a heatmap; the arrow keys go from cell to cell.
for (const table of document.querySelectorAll("table.heat")) {
  const grid = () => [...table.rows].map(line => [...line.querySelectorAll("td")]).filter(line => line.length);
  grid().flat().forEach((cell, index) => { cell.tabIndex = index ? -1 : 0; });
  table.addEventListener("keydown", event => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || !event.target.matches("td")) return;
    event.preventDefault();
    const lines = grid();
    const y = lines.findIndex(line => line.includes(event.target));
    const line = lines[y + step[0]] ?? lines[y];
    const next = line[Math.min(line.length - 1, Math.max(0, lines[y].indexOf(event.target) + step[1]))];
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

// A click on a head sorts: the best first, then the other way, then back to families. Rows without a value stay below.
for (const table of document.querySelectorAll("table.sortable")) {
  const groups = [...table.tBodies], original = groups.map(group => [...group.rows]);
  const heads = [...table.tHead.rows[0].cells];
  const number = text => parseFloat(text.replace("< ", "").replace("−", "-").replace(/,(?=\d{3})/g, ""));
  const values = index => {
    const cells = original.flat().map(row => row.cells.length === heads.length ? row.cells[index] : index ? null : row.cells[0]);
    const texts = cells.map(cell => cell ? cell.dataset.value ?? cell.textContent.trim() : "");
    const numeric = index && texts.some(text => !isNaN(number(text)));
    return texts.map(text => numeric ? (isNaN(number(text)) ? null : number(text)) : text || null);
  };
  heads.forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...[...head.childNodes].filter(node => node.nodeName !== "SMALL"));
    head.prepend(button);
    button.addEventListener("click", () => {
      const first = head.dataset.first ?? "ascending", second = first === "ascending" ? "descending" : "ascending";
      const next = head.ariaSort === first ? second : head.ariaSort === second ? null : first;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      groups.forEach((group, i) => group.append(...original[i]));
      for (const title of table.querySelectorAll("th[scope=rowgroup]")) title.parentNode.hidden = next !== null;
      if (!next) return;
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1, all = values(index);
      const rows = original.flat().map((row, i) => [row, all[i]]);
      rows.sort(([, a], [, b]) => a === null || b === null ? (a === null) - (b === null) : sign * (a < b ? -1 : a > b ? 1 : 0));
      groups[0].append(...rows.map(([row]) => row));
    });
  });
}

// A button that copies a command, or selects it where the browser does not let a page copy.
for (const code of document.querySelectorAll("pre, .commands code")) {
  const text = code.textContent, button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "copy";
  button.ariaLive = "polite";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });
  code.append(" ", button);
}
