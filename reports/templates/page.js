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
  const grid = () => [...table.rows].filter(line => !line.hidden).map(line => [...line.querySelectorAll("td:not([hidden])")]).filter(line => line.length);
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

// The first time that a word of the glossary occurs in a section, it leads there.
const terms = new Map([...document.querySelectorAll(".glossary dt")].flatMap(term => term.dataset.forms.split("|").map(form => [form, term.id])));
if (terms.size) {
  const longestFirst = [...terms.keys()].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map(form => form.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(?<![\\w@-])(${escaped.join("|")})(?![\\w-])`);
  for (const section of document.querySelectorAll("main > section:not(#glossary)")) {
    const linked = new Set();
    for (const place of section.querySelectorAll("p, caption, figcaption")) {
      const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT, node => node.parentElement.closest("a, button, code, .card, .cautions") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
      for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const found = text.data.match(pattern);
        if (!found || linked.has(terms.get(found[0]))) continue;
        linked.add(terms.get(found[0]));
        const rest = text.splitText(found.index).splitText(found[0].length);
        const link = Object.assign(document.createElement("a"), { className: "term", href: "#" + terms.get(found[0]) });
        rest.previousSibling.replaceWith(link);
        link.textContent = found[0];
        texts.currentNode = link;
      }
    }
  }
}

// Rows can be filtered by name and by family, in all tables at once, and what was measured can be taken along.
const make = (tag, parts, ...content) => { const made = Object.assign(document.createElement(tag), parts); made.append(...content); return made; };
const button = (text, act) => { const made = make("button", { type: "button", className: "button", textContent: text }); made.addEventListener("click", () => act(made)); return made; };
const embedded = JSON.parse(document.getElementById("records").textContent);
const nameOf = line => line.querySelector("th[scope=row]")?.textContent.replace(/^\d+ /, "").trim();
const families = new Map();
for (const group of document.querySelectorAll("tbody:has(> tr > th[scope=rowgroup])"))
  for (const line of group.rows) if (nameOf(line)) families.set(nameOf(line), group.rows[0].textContent.trim());
const lines = [...document.querySelectorAll("tbody tr:has(> th[scope=row])")].filter(line => families.has(nameOf(line)));
const off = new Set();
function save(name, type, text) {
  const link = make("a", { download: name, href: URL.createObjectURL(new Blob([text], { type })) });
  link.click();
  URL.revokeObjectURL(link.href);
}
const quote = value => /[",\n\r]/.test(value ?? "") ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? "");
const csv = table => table.map(line => line.map(quote).join(",")).join("\r\n") + "\r\n";
function recordsAsTable() {
  const metrics = [...new Set(embedded.records.flatMap(record => Object.keys(record.metrics ?? {})))];
  const phases = [...new Set(embedded.records.flatMap(record => Object.keys(record.costs ?? {})))];
  const cells = embedded.records.map(record => [record.row, record.fold, record.status, ...metrics.map(name => record.metrics?.[name]), ...phases.map(name => record.costs?.[name]?.seconds)]);
  return [["row", "fold", "status", ...metrics, ...phases.map(name => name + "_seconds")], ...cells];
}
if (families.size > 1 && embedded.records) {
  const filter = make("input", { type: "search", placeholder: "part of a name" });
  const told = make("span", { ariaLive: "polite" });
  told.setAttribute("aria-live", "polite");
  const apply = () => {
    const wanted = filter.value.trim().toLowerCase();
    const shows = name => name.toLowerCase().includes(wanted) && !off.has(families.get(name));
    lines.forEach(line => { line.hidden = !shows(nameOf(line)); });
    const n = [...families.keys()].filter(shows).length;
    told.textContent = n < families.size ? `${n} of ${families.size} rows shown` : "";
  };
  filter.addEventListener("input", apply);
  const chips = [...new Set(families.values())].map(family => {
    const chip = button(family, () => { off.has(family) ? off.delete(family) : off.add(family); chip.setAttribute("aria-pressed", !off.has(family)); apply(); });
    chip.setAttribute("aria-pressed", "true");
    return chip;
  });
  const tools = make("div", { className: "tools" },
    make("label", {}, "Rows ", filter), " ", told, make("span", { role: "group", className: "chips" }, "Families ", ...chips),
    button("all cells as CSV", () => save("results.csv", "text/csv", csv(recordsAsTable()))),
    button("as JSON", () => save("results.json", "application/json", JSON.stringify(embedded, null, 1))));
  tools.querySelector(".chips").setAttribute("aria-label", "families shown");
  document.querySelector("main > section.first")?.after(tools);
}

// Columns can be hidden, those first in which all rows are equal; a table can be copied as Markdown or saved as CSV.
for (const table of document.querySelectorAll(".heat.sortable, .lined.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = [...table.tBodies].flatMap(group => [...group.rows]);
  const whole = body.filter(line => line.cells.length === heads.length);
  const show = (index, shown) => {
    heads[index].hidden = !shown;
    for (const line of whole) line.cells[index].hidden = !shown;
    for (const cell of table.querySelectorAll("td[colspan]")) {
      cell.dataset.columns ??= cell.colSpan;
      cell.colSpan = Math.max(1, cell.dataset.columns - heads.slice(1).filter(head => head.hidden).length);
    }
  };
  const label = head => (head.querySelector("button") ?? head).textContent.trim();
  // What is taken along has no words for who hears the page; as numbers, values are those that are sorted by, with all digits.
  const taken = read => {
    table.classList.add("taken");
    const seen = line => [...line.cells].filter(cell => !cell.hidden);
    const rows = body.filter(line => !line.hidden && line.querySelector("th[scope=row]"));
    const cells = [seen(table.tHead.rows[0]).map(label), ...rows.map(line => seen(line).map(read))];
    table.classList.remove("taken");
    return cells;
  };
  const shownText = cell => cell.innerText.trim().replace(/\s*\n\s*/g, "\n");
  const plainValue = cell => cell.dataset.value || shownText(cell).replaceAll("\n", " ");
  const boxes = heads.slice(1).map((head, at) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => show(at + 1, box.checked));
    return [box, make("label", {}, box, " " + label(head))];
  });
  const choice = make("details", { className: "columns" }, make("summary", { textContent: "columns" }), ...boxes.map(([, name]) => name));
  const bar = make("div", { className: "tablebar" }, choice,
    button("copy as Markdown", async made => {
      const [head, ...rest] = taken(shownText).map(line => line.map(text => text.replaceAll("|", "\\|").replaceAll("\n", "<br>")));
      const markdown = [head, head.map((_, index) => index ? "--:" : ":--"), ...rest].map(line => `| ${line.join(" | ")} |`).join("\n");
      try { await navigator.clipboard.writeText(markdown); made.textContent = "copied"; } catch { made.textContent = "this browser does not let a page copy"; }
      setTimeout(() => { made.textContent = "copy as Markdown"; }, 2000);
    }),
    button("save as CSV", () => save("table.csv", "text/csv", csv(taken(plainValue)))));
  const constant = heads.slice(1).map((head, at) => [head, at]).filter(([, at]) => {
    const values = whole.map(line => line.cells[at + 1].dataset.value ?? line.cells[at + 1].textContent.trim());
    return values.length > 1 && new Set(values).size === 1;
  });
  if (constant.length && constant.length < heads.length - 1) {
    for (const [, at] of constant) { boxes[at][0].checked = false; show(at + 1, false); }
    const said = constant.map(([head, at]) => `${label(head)} (${whole[0].cells[at + 1].firstChild?.textContent.trim()})`).join(", ");
    bar.append(make("span", { textContent: `not shown, since equal in all rows: ${said}` }));
  }
  table.parentElement.before(bar);
}

// A button that copies a command, or selects it where the browser does not let a page copy.
for (const code of document.querySelectorAll("pre, .commands code")) {
  const text = code.textContent;
  const copy = make("button", { type: "button", className: "copy", textContent: "copy", ariaLive: "polite" });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      copy.textContent = "selected";
    }
    setTimeout(() => { copy.textContent = "copy"; }, 2000);
  });
  code.append(" ", copy);
}
