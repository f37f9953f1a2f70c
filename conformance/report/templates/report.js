"use strict";
// Copying, filtering and sorting. Nothing here is needed for reading.
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    const sources = button.dataset.copy.split(" ").filter(Boolean).map((id) => document.getElementById(id));
    try {
      await navigator.clipboard.writeText(sources.map((source) => source.textContent).join(""));
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(sources[0]);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

const holds = (element, words) => words.every((word) => element.textContent.toLowerCase().includes(word));
const wordsOf = (input) => input.value.toLowerCase().split(/\s+/).filter(Boolean);

for (const filter of document.querySelectorAll("[data-filter=cards]")) {
  filter.hidden = false;
  const [text, unknown] = filter.querySelectorAll("input");
  const cards = [...document.querySelectorAll("#cards > article")];
  const narrow = () => {
    for (const card of cards) {
      const asked = !unknown.checked || card.dataset.known === "unknown";
      card.hidden = !(asked && holds(card, wordsOf(text)));
    }
    filter.querySelector("output").textContent = `${cards.filter((card) => !card.hidden).length} of ${cards.length} cards`;
  };
  text.addEventListener("input", narrow);
  unknown.addEventListener("change", narrow);
}

for (const filter of document.querySelectorAll("[data-table]")) {
  filter.hidden = false;
  const text = filter.querySelector("input");
  const rows = [...document.querySelectorAll(`table.${filter.dataset.table} tbody tr`)];
  text.addEventListener("input", () => {
    const words = wordsOf(text);
    for (const row of rows) row.hidden = !holds(row, words);
    for (const module of filter.parentElement.querySelectorAll("details.module")) {
      const left = [...module.querySelectorAll("tbody tr")].filter((row) => !row.hidden).length;
      module.hidden = left === 0;
      module.open = words.length > 0 && left > 0;
    }
    filter.querySelector("output").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  });
}

const keyOf = (row, column) => {
  const shown = row.cells[column]?.textContent.trim() ?? "";
  const number = Number(shown.replaceAll("\u202f", "").match(/^[^\w-]*(-?\d[\d.]*)/)?.[1]);
  return [Number.isNaN(number) ? Infinity : number, shown];
};
for (const head of document.querySelectorAll("table.matrix thead th, table.times thead th, table.claims thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const column = [...head.parentElement.children].indexOf(head);
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].sort((one, two) => {
      const [a, b] = [keyOf(one, column), keyOf(two, column)];
      return (a[0] - b[0] || a[1].localeCompare(b[1])) * (down ? -1 : 1) || 0;
    });
    body.append(...rows);
  });
}
