"use strict";
const collator = new Intl.Collator(undefined, { numeric: true });
const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
};

for (const table of document.querySelectorAll("table.sortable")) {
  for (const header of table.tHead.rows[0].cells) {
    const button = header.querySelector("button");
    if (!button) continue;
    button.addEventListener("click", () => {
      const isNumber = header.classList.contains("n");
      const now = header.getAttribute("aria-sort");
      const direction = now ? (now === "ascending" ? "descending" : "ascending") : isNumber ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const body = table.tBodies[0];
      const rows = [...body.rows];
      rows.sort((one, other) => {
        const [a, b] = [value(one, header.cellIndex), value(other, header.cellIndex)];
        if (a === "" || b === "") return (a === "") - (b === "");  // what has no value goes last, both ways
        return sign * (isNumber ? Number(a) - Number(b) : collator.compare(a, b));
      });
      body.append(...rows);
    });
  }
}

const search = document.getElementById("search");
const status = document.getElementById("status");
const topic = document.getElementById("topic");  // null without optional problems
const flag = document.getElementById("flag");
const shown = document.getElementById("shown");
const rows = [...document.querySelectorAll("#students tbody tr")];
const words = new Map(rows.map((row) => [row, [0, 1, 2].map((i) => row.cells[i].textContent).join(" ").toLowerCase()]));
const filter = () => {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const fits = wanted.every((word) => words.get(row).includes(word)) &&
      (!status.value || row.dataset.status === status.value) &&
      (!topic?.value || row.dataset.topics.split("|").includes(topic.value)) &&
      (!flag.value || row.dataset.flags.split("|").includes(flag.value));
    row.hidden = !fits;
    count += fits;
  }
  shown.textContent = `${count} of ${rows.length} shown`;
};
for (const control of [search, status, topic, flag]) control?.addEventListener("input", filter);
filter();

const kind = document.getElementById("kind");
kind?.addEventListener("input", () => {
  for (const row of document.querySelectorAll("#queue tbody tr")) row.hidden = kind.value !== "" && row.dataset.kind !== kind.value;
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && isTyping) {
    event.target.blur();
  } else if ((event.key === "j" || event.key === "k") && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const links = rows.filter((row) => !row.hidden).sort((one, other) => one.rowIndex - other.rowIndex)
      .map((row) => row.querySelector("a")).filter(Boolean);
    const at = links.indexOf(document.activeElement);
    const next = links[event.key === "j" ? at + 1 : Math.max(at - 1, 0)];
    next?.focus();
  }
});
